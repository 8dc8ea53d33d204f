import fc from 'fast-check';
import type { Model } from '../../../src/engine/model.js';
import type { Check, JsonObject, JsonValue, RuleLine } from '../../../src/vocabulary.js';
import {
  ACTIONS,
  ADDRESSES,
  IDS,
  JSON_VALUES,
  NAMES,
  OBJECTS,
  TENANTS,
  usually,
} from './alphabet.js';

/** Values for the parts of a check that a rule may ask for; null where the check has none. */
interface Wanted {
  readonly sub: string | null;
  readonly dom: string | null;
  readonly obj: string | null;
  readonly act: string | null;
  readonly env: JsonValue;
}

/**
 * Checks of a model. Half are made to fit one of the rules, or nearly: by its own values, or by a name
 * that a role relation leads from.
 */
export function checks(model: Model, lines: readonly RuleLine[]): fc.Arbitrary<Check> {
  return fc
    .tuple(
      wanted(model, lines),
      fc.record({
        sub: usually([...NAMES, ...NAMES, 'nobody']),
        dom: usually([...TENANTS, ...TENANTS, 'nowhere'], 20),
        obj: usually([...OBJECTS, ...IDS]),
        act: usually([...ACTIONS, ...ACTIONS, 'nothing']),
      }),
      attributes(),
      attributes(),
      attributes(),
    )
    .map(([rule, random, subject, resource, context]) => {
      const sub = rule.sub ?? random.sub;
      const obj = rule.obj ?? random.obj;
      const act = rule.act ?? random.act;
      const env = rule.env === null ? {} : { env: rule.env };
      return {
        tenant: rule.dom ?? random.dom,
        subject: { ...subjectOf(sub), properties: { ...subject, team: sub } },
        action: { name: act, properties: {} },
        resource: { ...resourceOf(obj, model), properties: { ...resource, ...env } },
        context: { ...context, act, ...(context['user'] === undefined && { user: sub }) },
      };
    });
}

/** `agent:ci` is the agent `ci`, everything else a user. */
function subjectOf(name: string): { type: string; id: string } {
  const [, type, id] = /^(agent):(.*)$/s.exec(name) ?? [];
  return type === undefined || id === undefined ? { type: 'user', id: name } : { type, id };
}

function resourceOf(name: string, model: Model): { type: string; id: string } {
  const isId = model.requestTokens.get('obj')?.path.join('.') === 'resource.id';
  const colon = name.indexOf(':');
  return isId || colon === -1
    ? { type: 'document', id: name }
    : { type: name.slice(0, colon), id: name.slice(colon + 1) };
}

function wanted(model: Model, lines: readonly RuleLine[]): fc.Arbitrary<Wanted> {
  const p = lines.filter(([ptype]) => ptype === 'p');
  const g = lines.filter(([ptype]) => ptype === 'g');
  const nothing: Wanted = { sub: null, dom: null, obj: null, act: null, env: null };
  if (p.length === 0) return fc.constant(nothing);
  const rule = fc.constantFrom(...p);
  const link = g.length === 0 ? fc.constant(undefined) : fc.constantFrom(undefined, ...g);
  const near = fc
    .tuple(rule, link, fc.array(fc.nat({ max: 19 }), { minLength: 6, maxLength: 6, size: 'max' }))
    .map(([line, by, chances]) => wantedBy(model, line, by, chances));
  return fc.oneof({ weight: 1, arbitrary: fc.constant(nothing) }, { weight: 3, arbitrary: near });
}

/** What a rule asks for, now and then something else in its place. */
function wantedBy(
  model: Model,
  line: RuleLine,
  link: RuleLine | undefined,
  chances: readonly number[],
): Wanted {
  const value = (field: string, index: number): string | null => {
    const at = model.policyTokens.indexOf(field);
    const held = at === -1 ? undefined : line[at + 1];
    return held === undefined || chances[index] === 0 ? null : held;
  };
  const obj = value('obj', 2) ?? value('id', 2);
  const env = value('env', 4) ?? value('level', 4);
  return {
    sub: link === undefined ? value('sub', 0) : (link[1] ?? null),
    dom: link?.[3] !== undefined && (chances[5] ?? 0) < 5 ? link[3] : value('dom', 1),
    obj: obj === null ? null : fitting(obj),
    act: value('act', 3),
    env: env === null ? null : parsed(env, chances[4] ?? 0),
  };
}

/** A text that a pattern was made for, as far as patterns of any kind can be told apart. */
function fitting(pattern: string): string {
  return pattern
    .replace(/\/?:\w+(?=\/|$)/g, (part) => (part.startsWith('/') ? '/7' : part))
    .replace(/\{\w+\}/g, '7')
    .replace(/\[0-9\][+]?/g, '1')
    .replace(/\[\^\/\][+]/g, '7')
    .replace(/^\^|\$$/g, '')
    .replace(/\.?\*+/g, 'x');
}

/** A rule's text as JSON would rather say it: a number or a boolean for `1`, a list for `1,2`. */
function parsed(text: string, chance: number): JsonValue {
  if (chance % 2 === 0) return text;
  if (text.includes(',')) return text.split(',').map(Number);
  if (chance % 3 === 0) return [text];
  if (chance % 4 === 1 && [0, 1].includes(Number(text))) return Number(text) === 1;
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return text;
  }
}

/** Properties, or a context: everything that matchers read, each now and then absent. */
function attributes(): fc.Arbitrary<JsonObject> {
  const any = fc.constantFrom<JsonValue>(...JSON_VALUES);
  return fc.oneof(
    { weight: 1, arbitrary: fc.constant<JsonObject>({}) },
    {
      weight: 12,
      arbitrary: fc
        .record({
          env: any,
          level: any,
          n: fc.oneof(fc.constantFrom<JsonValue>(0, 1, 2, 3, 4, 5), any),
          flag: fc.oneof(fc.constantFrom<JsonValue>(true, false), any),
          any,
          owner: fc.oneof(fc.constantFrom<JsonValue>(...NAMES.slice(0, 3)), any),
          ip: fc.constantFrom<JsonValue>(...ADDRESSES, 7, null),
          tags: fc.constantFrom<JsonValue>(['a'], ['prod', '1'], { a: 1 }, [], 'a', null),
          user: fc.oneof(fc.constant<JsonValue>('alice'), any),
          a: fc.constantFrom<JsonValue>({ b: 1 }, {}, 1),
          absent: fc.nat({ max: 63 }),
        })
        .map(withoutAbsent),
    },
  );
}

/** Drops what the bits of `absent` say: of eight members, few at once. */
function withoutAbsent({
  absent,
  ...members
}: Record<string, JsonValue> & { absent: number }): JsonObject {
  const names = Object.keys(members);
  const dropped = absent < names.length ? [names[absent]] : absent > 60 ? names.slice(4) : ['user'];
  return Object.fromEntries(Object.entries(members).filter(([name]) => !dropped.includes(name)));
}
