import fc from 'fast-check';
import { within } from '../../../src/engine/check-expression.js';
import type { Model } from '../../../src/engine/model.js';
import type { RuleLine } from '../../../src/vocabulary.js';
import {
  ACTIONS,
  BAD_CONDITIONS,
  BAD_PATTERNS,
  CONDITIONS,
  GROUPS,
  IDS,
  LOOSE,
  NAMES,
  OBJECTS,
  PATTERNS,
  TENANTS,
  UNCLEAN,
  usually,
} from './alphabet.js';

/** Whether the rules may be such as no bundle may hold: rows too short or long, bad patterns, … */
export interface RuleKind {
  readonly mayBeFaulty: boolean;
}

/** Rules of a model, by rank; a few of them twice. */
export function ruleSets(model: Model, kind: RuleKind): fc.Arbitrary<readonly RuleLine[]> {
  const one = rules(model, kind);
  const many = (minLength: number, maxLength: number) =>
    fc.array(one, { minLength, maxLength, size: 'max' });
  const plain = fc.oneof(
    { weight: 20, arbitrary: many(4, 16) },
    { weight: 10, arbitrary: many(16, 40) },
    { weight: 2, arbitrary: many(60, 120) },
    { weight: 2, arbitrary: many(0, 3) },
    { weight: 1, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: many(200, 500) },
  );
  return fc
    .tuple(plain, roleNets(model), fc.boolean())
    .map(([lines, net, isFirst]) => (isFirst ? [...net, ...lines] : [...lines, ...net]));
}

/** Rules of a model, each once. */
export function rules(model: Model, { mayBeFaulty }: RuleKind): fc.Arbitrary<RuleLine> {
  const p = policyRules(model, mayBeFaulty);
  const g = [...model.roleTypes].map(([type, arity]) => roleRules(model, type, arity));
  const any = fc.oneof(
    { weight: 6, arbitrary: p },
    ...g.map((arbitrary, index) => ({ weight: index === 0 ? 4 : 2, arbitrary })),
  );
  if (mayBeFaulty) {
    return fc.oneof({ weight: 12, arbitrary: any }, { weight: 1, arbitrary: any.chain(misshapen) });
  }
  return any.filter((line) => model.faultOf(line) === undefined);
}

/** Too short, too long, of a type that the model has not. */
function misshapen([ptype, ...values]: RuleLine): fc.Arbitrary<RuleLine> {
  return fc.oneof(
    fc.nat({ max: values.length }).map((length): RuleLine => [ptype, ...values.slice(0, length)]),
    fc.constantFrom<RuleLine>(
      [ptype, ...values, 'more'],
      [ptype, ...values, 'allow', ''],
      ['p2', ...values],
      ['g4', ...values],
      ['x'],
    ),
  );
}

function policyRules(model: Model, mayBeFaulty: boolean): fc.Arbitrary<RuleLine> {
  const fields = model.policyTokens.map((name) => fieldValues(model, name, mayBeFaulty));
  return fc.tuple(...fields).map((values): RuleLine => ['p', ...values]);
}

function fieldValues(model: Model, name: string, mayBeFaulty: boolean): fc.Arbitrary<string> {
  const usual = usualValues(model, name);
  if (!mayBeFaulty) return usual;
  const called = functionsOn(model, name);
  const bad = [...called.flatMap((called) => BAD_PATTERNS[called] ?? []), ...UNCLEAN];
  const share = called.length > 0 ? 8 : 40;
  return fc.oneof(
    { weight: share, arbitrary: usual },
    { weight: 1, arbitrary: fc.constantFrom(...(name === 'cond' ? BAD_CONDITIONS : bad)) },
  );
}

/** Values that the field is for. */
function usualValues(model: Model, name: string): fc.Arbitrary<string> {
  switch (name) {
    case 'priority':
      return fc.constantFrom('1', '2', '2', '3', '10', '9', '-1', '-10', '007', '0');
    case 'eft':
      return fc.constantFrom('allow', 'allow', 'allow', 'deny', 'deny', 'indeterminate');
    case 'cond':
      return fc.constantFrom(...CONDITIONS);
    case 'ip':
      return fc.constantFrom(...(PATTERNS['ipMatch'] ?? []));
    case 'level':
    case 'env':
      return usually(LOOSE);
    default:
      return patternsOr(model, name, plainValues(model, name));
  }
}

function plainValues(model: Model, name: string): fc.Arbitrary<string> {
  switch (name) {
    case 'sub':
      return usually([...NAMES, ...(namesArePatterns(model, 'g') ? ['a*', 'r1*', '*'] : [])]);
    case 'dom':
      return usually([...TENANTS, ...TENANTS, '*'], 20);
    case 'act':
      return usually([...ACTIONS, ...ACTIONS, '*']);
    case 'id':
      return usually(IDS);
    default:
      return model.requestTokens.get('obj')?.path.join('.') === 'resource.id'
        ? fc.oneof(usually(IDS), usually(OBJECTS))
        : fc.oneof(usually(OBJECTS), usually([...OBJECTS.slice(0, 3), ...GROUPS]));
  }
}

/** Where a matcher gives the field to functions as a pattern, mostly their patterns. */
function patternsOr(model: Model, name: string, plain: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const called = functionsOn(model, name);
  if (called.length === 0) return plain;
  const patterns = called.flatMap((called) => PATTERNS[called] ?? []);
  return fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...patterns) },
    { weight: 2, arbitrary: plain },
  );
}

/** The functions that the matcher gives a field to as their pattern. */
export function functionsOn(model: Model, name: string): readonly string[] {
  const called = [...within(model.matcher)].flatMap((part) => {
    const pattern = part.kind === 'call' ? part.args[1] : undefined;
    return part.kind === 'call' &&
      pattern?.kind === 'token' &&
      pattern.of === 'p' &&
      pattern.name === name
      ? [part.name]
      : [];
  });
  return [...new Set(called)].filter((called) => called in PATTERNS);
}

function namesArePatterns(model: Model, type: string): boolean {
  return model.rolePatterns.has(type);
}

/** What the names of a role type are: subjects, resources or actions. */
function members(model: Model, type: string): readonly string[] {
  const patterns = PATTERNS[model.rolePatterns.get(type) ?? ''] ?? [];
  if (type === 'g')
    return [...NAMES, ...(patterns.length > 0 ? ['a*', 'al.*', '^r', '*', ...patterns] : [])];
  if (type === 'g3') return [...ACTIONS, 'any'];
  return [...OBJECTS.slice(0, 6), ...OBJECTS.slice(0, 6), ...GROUPS, ...GROUPS, ...patterns];
}

function roleRules(model: Model, type: string, arity: 2 | 3): fc.Arbitrary<RuleLine> {
  const name = usually(members(model, type), 20);
  const target = type === 'g2' ? fc.oneof(name, fc.constantFrom(...GROUPS)) : name;
  const tenant = usually([...TENANTS, 'acme', 'acme'], 30);
  return (
    fc
      .tuple(name, target, tenant)
      .map(
        ([one, other, dom]): RuleLine =>
          arity === 3 ? [type, one, other, dom] : [type, one, other],
      )
      // A role that is no pattern, where roles are patterns, keeps an engine from being built at all.
      .filter((line) => !model.rolePatterns.has(type) || model.faultOf(line) === undefined)
  );
}

/** Chains deeper than Casbin looks, cliques, cycles, fans, ladders; often nothing. */
function roleNets(model: Model): fc.Arbitrary<readonly RuleLine[]> {
  const arity = model.roleTypes.get('g');
  if (arity === undefined) return fc.constant([]);
  const line = (name: string, role: string): RuleLine =>
    arity === 3 ? ['g', name, role, 'acme'] : ['g', name, role];
  const chain = (length: number) =>
    Array.from({ length }, (_, i) => line(i === 0 ? 'alice' : `r${i - 1}`, `r${i}`));
  const clique = (size: number) =>
    Array.from({ length: size * size }, (_, i) => line(`r${Math.floor(i / size)}`, `r${i % size}`));
  const fan = (size: number) => Array.from({ length: size }, (_, i) => line('alice', `r${i}`));
  const ladder = (size: number) =>
    Array.from({ length: size }, (_, i) => [
      line(`r${i}`, `r${i + 1}`),
      line(`r${i}`, `r${i + 2}`),
      line(`r${i}`, `r${i + 5}`),
    ]).flat();
  // More roles than it is worth an engine's while to find again for each check.
  const wide: readonly (readonly RuleLine[])[] = [
    fan(30),
    [...fan(20), line('r3', 'admin'), line('r19', 'r2'), line('bob', 'r19')],
    ladder(30),
    [...fan(6), ...ladder(30)],
  ];
  const nets: readonly (readonly RuleLine[])[] = [
    chain(9),
    chain(10),
    chain(11),
    chain(12),
    [...chain(12)].reverse(),
    [...chain(5), line('r4', 'alice'), ...chain(12).slice(5)],
    [...chain(11), line('alice', 'r5')],
    [...chain(11), line('bob', 'r0'), line('r10', 'r0')],
    clique(4),
    [...clique(3), line('alice', 'r0'), line('r2', 'admin')],
    [line('alice', 'alice'), line('admin', 'admin')],
    [line('alice', 'admin'), line('admin', 'alice'), line('admin', 'bob')],
    [line('alice', 'editor'), line('alice', 'ops'), line('editor', 'admin'), line('ops', 'admin')],
  ];
  return fc.oneof(fc.constant<readonly RuleLine[]>([]), fc.constantFrom(...nets, ...wide, ...wide));
}
