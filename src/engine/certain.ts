import type { Expression } from './expression.js';

/** Facts that expressions without `&&`, `||`, `!` and `?:` in them make certain. */
export interface Facts<Fact> {
  /** What is certain once this expression came out truthy (`outcome` true) or falsy (false). */
  readonly of: (expression: Expression, outcome: boolean) => Iterable<Fact>;
  /** Every fact there is: certain of an outcome that cannot be. */
  readonly all: ReadonlySet<Fact>;
}

/** What is certain once an expression came out truthy (`outcome` true) or falsy (false). */
export type Certainty<Fact> = (expression: Expression, outcome: boolean) => ReadonlySet<Fact>;

/**
 * Makes out what is certain of expressions, whichever way they took to their outcome: of a true `&&`
 * the facts of either side, of a true `||` those of both. Each part is looked at once.
 *
 * @example certaintyOf(facts)(parsed('a && (b || a && c)'), true) // the facts of `a`
 */
export function certaintyOf<Fact>(facts: Facts<Fact>): Certainty<Fact> {
  const truthy = new Map<Expression, ReadonlySet<Fact>>();
  const falsy = new Map<Expression, ReadonlySet<Fact>>();
  const when: Certainty<Fact> = (expression, outcome) => {
    const known = outcome ? truthy : falsy;
    const found = known.get(expression) ?? madeOut(expression, outcome, facts, when);
    known.set(expression, found);
    return found;
  };
  return when;
}

/** Whether an expression is `a && b` or `a || b`. */
export function isLogical(
  expression: Expression,
): expression is Extract<Expression, { kind: 'binary' }> {
  return (
    expression.kind === 'binary' && (expression.operator === '&&' || expression.operator === '||')
  );
}

function madeOut<Fact>(
  expression: Expression,
  outcome: boolean,
  facts: Facts<Fact>,
  when: Certainty<Fact>,
): ReadonlySet<Fact> {
  if (expression.kind === 'literal') {
    return Boolean(expression.value) === outcome ? new Set() : facts.all;
  }
  if (expression.kind === 'unary' && expression.operator === '!') {
    return when(expression.operand, !outcome);
  }
  if (isLogical(expression)) {
    const sides = [when(expression.left, outcome), when(expression.right, outcome)] as const;
    return (expression.operator === '&&') === outcome ? union(...sides) : intersection(...sides);
  }
  if (expression.kind === 'conditional') {
    const { test, whenTrue, whenFalse } = expression;
    return intersection(
      union(when(test, true), when(whenTrue, outcome)),
      union(when(test, false), when(whenFalse, outcome)),
    );
  }
  return new Set(facts.of(expression, outcome));
}

function union<Fact>(a: ReadonlySet<Fact>, b: ReadonlySet<Fact>): ReadonlySet<Fact> {
  return new Set([...a, ...b]);
}

function intersection<Fact>(a: ReadonlySet<Fact>, b: ReadonlySet<Fact>): ReadonlySet<Fact> {
  return new Set([...a].filter((fact) => b.has(fact)));
}
