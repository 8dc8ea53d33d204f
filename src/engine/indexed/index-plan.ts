import { shapeOfReference, within } from '../check-expression.js';
import type { Call, Expression, TokenReference } from '../expression.js';
import { isHarmless } from '../harmless.js';
import type { ModelDefinitions } from '../definitions.js';
import type { MatcherPart } from '../engine.js';
import { conjunction, flattened, readable } from './conjuncts.js';

/** How the values of one column that satisfy a part of the matcher are found for a request. */
export type Lookup =
  /** The values that equal `value`; `loose`: by `==`, where it may be something else than text. */
  | { readonly kind: 'equal'; readonly value: Expression; readonly loose: boolean }
  /** The names that `name` is by its roles. */
  | {
      readonly kind: 'roles';
      readonly type: string;
      readonly name: Expression;
      readonly tenant: Expression | undefined;
    }
  /** The patterns that `text` matches by a named function. */
  | { readonly kind: 'pattern'; readonly function: string; readonly text: Expression };

/** A condition on the request alone. The index behind it may be used only where it holds. */
export type Guard =
  /** Can be read, and is text, a number, a boolean or null. */
  | { readonly kind: 'scalar'; readonly value: Expression }
  /** Is a text that the function takes without throwing. */
  | { readonly kind: 'accepted'; readonly function: string; readonly value: Expression }
  /** Comes out truthy. Where it comes out `false`, no rule matches. */
  | { readonly kind: 'true'; readonly test: Expression }
  /** Comes out `false`. */
  | { readonly kind: 'false'; readonly test: Expression };

/** A column, and the look-ups whose values together can match. */
export interface ColumnStep {
  readonly column: number;
  readonly lookups: readonly Lookup[];
}

/** Columns to narrow by, each once. */
export type Path = readonly ColumnStep[];

/** How far the rules can be narrowed where the guards of this stage and all before it hold. */
export interface Stage {
  readonly guards: readonly Guard[];
  /** Every rule that may match, or throw, is found by one of these. One without steps finds all. */
  readonly paths: readonly Path[];
  /** What must still be evaluated on the rules found; undefined where they all match. */
  readonly residual: Expression | undefined;
}

/** How an index finds the rules that may match a request, and what it leaves to be evaluated. */
export interface IndexPlan {
  /** Each narrower than the one before; the first has no guards. */
  readonly stages: readonly [Stage, ...Stage[]];
  readonly parts: readonly MatcherPart[];
}

/** More alternatives than this are evaluated instead of indexed. */
const MAX_PATHS = 8;

/** Named functions that compare with a pattern, and answer yes or no. */
const PATTERN_FUNCTIONS: ReadonlySet<string> = new Set([
  'keyMatch',
  'keyMatch2',
  'keyMatch3',
  'keyMatch4',
  'keyMatch5',
  'regexMatch',
  'ipMatch',
  'globMatch',
]);
/** Those that throw for some texts. */
const CHOOSY_FUNCTIONS: ReadonlySet<string> = new Set(['ipMatch', 'globMatch']);

/**
 * Plans the index of a matcher. Its conjuncts are taken from the left: what compares a field of the
 * rule with the request becomes a step, for a rule outside of it comes to a plain `false`. After the
 * first conjunct that could throw, or come to anything but yes or no, nothing is indexed any more: a
 * rule that fails a later conjunct must fail, or throw, at that one first.
 */
export function planIndex(model: ModelDefinitions): IndexPlan {
  return new Planner(model).plan();
}

/** What a part of a matcher says of the rules that it can let through. */
interface Narrowing {
  readonly paths: readonly Path[];
  readonly guards: readonly Guard[];
  /** Whether each rule found makes the part `true`. */
  readonly exact: boolean;
  /** Whether the part comes to yes or no for every rule, where the guards hold. */
  readonly safe: boolean;
}

class Planner {
  readonly #model: ModelDefinitions;
  /** What a field of the rule is known to equal once its conjunct holds. */
  readonly #known = new Map<string, Expression>();

  constructor(model: ModelDefinitions) {
    this.#model = model;
  }

  plan(): IndexPlan {
    const conjuncts = flattened(this.#model.matcher, '&&');
    this.#learn(conjuncts);
    const indexed = new Set<Expression>();
    const absorbed = new Set<Expression>();
    const first: Stage = { guards: [], paths: [[]], residual: this.#model.matcher };
    const stages: [Stage, ...Stage[]] = [first];
    for (const part of conjuncts) {
      const found = this.#narrowing(part) ?? this.#test(part);
      const last = stages[stages.length - 1] ?? first;
      const paths = found && product(last.paths, found.paths);
      if (found && paths && (found.guards.length > 0 || addsSteps(last.paths, paths))) {
        indexed.add(part);
        if (found.exact && takesAll(last.paths, found.paths)) absorbed.add(part);
        const stage = { paths: paths.map(ordered), residual: residualOf(conjuncts, absorbed) };
        if (found.guards.length > 0) stages.push({ ...stage, guards: found.guards });
        else stages[stages.length - 1] = { ...stage, guards: last.guards };
      }
      if (!(found?.safe && paths) && !isHarmless(part, this.#model)) break;
    }
    return { stages, parts: conjuncts.map((part) => partOf(part, indexed)) };
  }

  /**
   * `r.x == p.y`, both of them text: before it or after it, one stands for the other. A rule in which
   * they differ comes to `false`, unless it can come to an error first.
   */
  #learn(conjuncts: readonly Expression[]): void {
    for (const part of conjuncts) {
      if (!isHarmless(part, this.#model)) return;
      const equality = equalityOf(part);
      if (equality && this.#isText(equality.value)) {
        this.#known.set(equality.field.name, equality.value);
      }
    }
  }

  /** A conjunct that reads no rule: where it holds, what follows can narrow. */
  #test(part: Expression): Narrowing | undefined {
    if (readsRule(part)) return undefined;
    return {
      paths: [[]],
      guards: [{ kind: 'true', test: part }],
      exact: isHarmless(part, this.#model),
      safe: true,
    };
  }

  #narrowing(part: Expression): Narrowing | undefined {
    if (!readsRule(part)) return undefined;
    if (part.kind === 'binary' && part.operator === '||') return this.#alternatives(part);
    if (part.kind === 'binary' && part.operator === '&&') return this.#together(part);
    return this.#comparison(part);
  }

  /** `a || b`: the rules of either. A part that reads no rule must come out false for that to hold. */
  #alternatives(part: Expression): Narrowing | undefined {
    const guards: Guard[] = [];
    const paths: Path[] = [];
    let [exact, safe] = [true, true];
    for (const side of flattened(part, '||')) {
      const found = this.#narrowing(side);
      if (found) {
        paths.push(...found.paths);
        guards.push(...found.guards);
        exact &&= found.exact;
        safe &&= found.safe;
      } else if (readsRule(side)) {
        return undefined;
      } else {
        guards.push({ kind: 'false', test: side });
      }
    }
    const column = sharedColumn(paths);
    if (column === undefined) return { paths, guards, exact: false, safe };
    const lookups = paths.flatMap((path) => path.flatMap((step) => step.lookups));
    return { paths: [[{ column, lookups }]], guards, exact, safe };
  }

  /** `a && b` inside of something else: the first part that narrows, and what may follow it. */
  #together(part: Expression): Narrowing | undefined {
    let narrowing: Narrowing | undefined;
    let safe = true;
    for (const side of flattened(part, '&&')) {
      const found = this.#narrowing(side);
      const paths = found && product(narrowing?.paths ?? [[]], found.paths);
      if (found && paths) {
        const guards = [...(narrowing?.guards ?? []), ...found.guards];
        narrowing = { paths, guards, exact: false, safe };
      }
      safe = (found?.safe && paths !== undefined) || isHarmless(side, this.#model);
      if (!safe) break;
    }
    return narrowing && { ...narrowing, safe };
  }

  #comparison(part: Expression): Narrowing | undefined {
    const equality = equalityOf(part);
    if (equality) {
      const { field, value, strict } = equality;
      const loose = !strict && !this.#isText(value);
      return this.#step(field, { kind: 'equal', value, loose }, this.#scalarGuards(value));
    }
    if (part.kind !== 'call') return undefined;
    return this.#model.roleTypes.has(part.name) ? this.#roles(part) : this.#pattern(part);
  }

  #roles(call: Call): Narrowing | undefined {
    const [name, role, given] = call.args;
    const tenant = this.#requestSide(given);
    if (!isField(role) || name === undefined || readsRule(name)) return undefined;
    if (given !== undefined && (tenant === undefined || !this.#isText(tenant))) return undefined;
    return this.#step(
      role,
      { kind: 'roles', type: call.name, name, tenant },
      this.#scalarGuards(name),
    );
  }

  #pattern(call: Call): Narrowing | undefined {
    const [text, pattern] = call.args;
    const isPattern = PATTERN_FUNCTIONS.has(call.name) && isField(pattern);
    if (!isPattern || text === undefined || readsRule(text)) return undefined;
    const guards = CHOOSY_FUNCTIONS.has(call.name)
      ? [{ kind: 'accepted', function: call.name, value: text } as const]
      : this.#scalarGuards(text);
    return this.#step(pattern, { kind: 'pattern', function: call.name, text }, guards);
  }

  #step(field: TokenReference, lookup: Lookup, guards: readonly Guard[]): Narrowing {
    const column = this.#model.policyTokens.indexOf(field.name);
    return { paths: [[{ column, lookups: [lookup] }]], guards, exact: true, safe: true };
  }

  #scalarGuards(value: Expression): readonly Guard[] {
    const isScalar = value.kind === 'literal' || this.#isText(value);
    return isScalar ? [] : [{ kind: 'scalar', value }];
  }

  /** What an argument is by the request alone; undefined where only the rule knows. */
  #requestSide(argument: Expression | undefined): Expression | undefined {
    if (isField(argument)) return this.#known.get(argument.name);
    return argument && !readsRule(argument) ? argument : undefined;
  }

  /** Whether an expression is text in every request. */
  #isText(expression: Expression): boolean {
    if (expression.kind === 'literal') return typeof expression.value === 'string';
    if (expression.kind !== 'token' || expression.of === 'p') return false;
    return shapeOfReference(expression, this.#model.requestTokens)?.kind === 'text';
  }
}

/** `x == p.y` or `x === p.y`, either way round, where `x` reads no rule. */
function equalityOf(
  part: Expression,
):
  | { readonly field: TokenReference; readonly value: Expression; readonly strict: boolean }
  | undefined {
  if (part.kind !== 'binary' || (part.operator !== '==' && part.operator !== '===')) {
    return undefined;
  }
  const { left, right } = part;
  const strict = part.operator === '===';
  if (isField(right) && !readsRule(left)) return { field: right, value: left, strict };
  if (isField(left) && !readsRule(right)) return { field: left, value: right, strict };
  return undefined;
}

function isField(expression: Expression | undefined): expression is TokenReference {
  return expression?.kind === 'token' && expression.of === 'p';
}

/** Whether an expression depends on the rule at all. */
function readsRule(expression: Expression): boolean {
  return [...within(expression)].some(isField);
}

/** The one column that all of these paths narrow by, and nothing else. */
function sharedColumn(paths: readonly Path[]): number | undefined {
  const columns = new Set(paths.map((path) => (path.length === 1 ? path[0]?.column : undefined)));
  const [column] = columns;
  return columns.size === 1 ? column : undefined;
}

/** Every path of one with every path of the other; undefined where those would be too many. */
function product(before: readonly Path[], after: readonly Path[]): readonly Path[] | undefined {
  if (after.length === 0 || before.length * after.length > MAX_PATHS) return undefined;
  return before.flatMap((path) => after.map((more) => joined(path, more)));
}

/** Whether the product of paths is narrower than they were. */
function addsSteps(before: readonly Path[], after: readonly Path[]): boolean {
  const steps = (paths: readonly Path[]) => Math.min(...paths.map((path) => path.length));
  return steps(after) > steps(before);
}

/** A column narrows a path once; what a second comparison says of it is evaluated. */
function joined(path: Path, more: Path): Path {
  return [...path, ...more.filter((step) => !path.some(({ column }) => column === step.column))];
}

/** Whether the product of these paths takes every step of them, so that nothing of it is left. */
function takesAll(before: readonly Path[], after: readonly Path[]): boolean {
  if (after.length !== 1) return false;
  return before.every((path) =>
    path.every(({ column }) => !after[0]?.some((step) => step.column === column)),
  );
}

/**
 * Steps that give few values first, so that the later ones are asked of fewer rules: one value, then
 * the patterns that fit, of which there are seldom many, then roles.
 */
function ordered(path: Path): Path {
  return [...path].sort((a, b) => breadth(a) - breadth(b));
}

function breadth({ lookups }: ColumnStep): number {
  if (lookups.length === 1 && lookups[0]?.kind === 'equal') return 0;
  return lookups.length === 1 && lookups[0]?.kind === 'roles' ? 2 : 1;
}

/** The conjuncts that were not absorbed; an absorbed one at the end stands as what it is, `true`. */
function residualOf(
  conjuncts: readonly Expression[],
  absorbed: ReadonlySet<Expression>,
): Expression | undefined {
  const left = conjuncts.filter((part) => !absorbed.has(part));
  const last = conjuncts[conjuncts.length - 1];
  const endsAbsorbed = last !== undefined && absorbed.has(last);
  if (left.length > 0 && endsAbsorbed) left.push({ kind: 'literal', value: true, at: last.at });
  return conjunction(left);
}

function partOf(part: Expression, indexed: ReadonlySet<Expression>): MatcherPart {
  return { text: readable(part), handling: indexed.has(part) ? 'indexed' : 'residual' };
}
