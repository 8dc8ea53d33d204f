import { type Certainty, certaintyOf, isLogical } from './certain.js';
import { within } from './check-expression.js';
import type { ModelDefinitions } from './definitions.js';
import type { Call, Expression } from './expression.js';
import { cannotFail, isYesOrNo } from './harmless.js';
import { DIFFERENCE, EQUALITY, tenantTest } from './tenant-comparison.js';

type Matched = Pick<
  ModelDefinitions,
  'matcher' | 'requestTokens' | 'policyTokens' | 'roleTypes' | 'effect'
>;

/**
 * For each rule type the index of the value that names the rule's tenant. It is there only where a
 * rule can have no part in a check of any tenant but that one: whoever may write the rules of one
 * tenant may write these, and must not speak for another.
 *
 * For `p` it is the field that the matcher compares with the tenant (`r.dom == p.dom`, either way
 * round) in every case in which it matches, and before it comes to anything that could fail. A
 * pattern compares with several tenants, and so does not count; nor does what a rule's own expression
 * says. For a role type of three fields it is the third, where every call passes the tenant there.
 *
 * Under `subjectPriority` it is nowhere. node-casbin puts all rules in one order by the ranks of their
 * subjects; one whose subject has no role ranks neither before nor after any other, and how the rules
 * around it come to stand depends on it.
 */
export function tenantFields(model: Matched): ReadonlyMap<string, number> {
  const fields = new Map<string, number>();
  if (model.effect === 'subject-priority') return fields;
  const isTenant = tenantTest(model);
  if (![...model.requestTokens.keys()].some((name) => isTenant(requestToken(name)))) return fields;
  const certain = certainFields(model);
  const field = model.policyTokens.findIndex(
    (name) =>
      certain(model.matcher, true).has(name) && isHarmless(model.matcher, { model, certain, name }),
  );
  if (field !== -1) fields.set('p', field);
  for (const [type, arity] of model.roleTypes) {
    if (arity === 3 && keepsToTenant(model.matcher, type, isTenant)) fields.set(type, 2);
  }
  return fields;
}

/**
 * Whether an expression, such as a rule's own, asks for roles of three fields in the tenant of the
 * check alone.
 */
export function asksOnlyOwnRoles(
  expression: Expression,
  model: Pick<ModelDefinitions, 'requestTokens' | 'roleTypes'>,
): boolean {
  const isTenant = tenantTest(model);
  return [...model.roleTypes].every(
    ([type, arity]) => arity === 2 || keepsToTenant(expression, type, isTenant),
  );
}

function requestToken(name: string): Expression {
  return { kind: 'token', of: 'r', name, members: [], at: 0 };
}

/** The fields of a rule that are known to be the tenant's name. */
function certainFields(model: Matched): Certainty<string> {
  const isTenant = tenantTest(model);
  const fieldOf = (part: Expression): string | undefined => {
    if (part.kind !== 'binary') return undefined;
    const { left, right } = part;
    const other = isTenant(left) ? right : isTenant(right) ? left : undefined;
    return other?.kind === 'token' && other.of === 'p' ? other.name : undefined;
  };
  const all = [...within(model.matcher)].flatMap((part) => fieldOf(part) ?? []);
  return certaintyOf({
    all: new Set(all),
    of: (part, outcome) => {
      if (part.kind !== 'binary') return [];
      const saysEqual = (outcome ? EQUALITY : DIFFERENCE).has(part.operator);
      const field = saysEqual ? fieldOf(part) : undefined;
      return field === undefined ? [] : [field];
    },
  });
}

interface Guard {
  readonly model: Matched;
  readonly certain: Certainty<string>;
  readonly name: string;
}

/**
 * Whether a rule of another tenant does nothing but fail to match: no part that may throw, or answer
 * something else than yes or no (node-casbin takes `NaN` for yes, and throws for text), is evaluated
 * before it is certain that the field is the tenant.
 */
function isHarmless(expression: Expression, guard: Guard): boolean {
  const { certain, name } = guard;
  const after = (test: Expression, outcome: boolean, next: Expression) =>
    certain(test, outcome).has(name) || isHarmless(next, guard);
  if (expression.kind === 'unary' && expression.operator === '!') {
    return isHarmless(expression.operand, guard);
  }
  if (expression.kind === 'conditional') {
    const { test, whenTrue, whenFalse } = expression;
    return isHarmless(test, guard) && after(test, true, whenTrue) && after(test, false, whenFalse);
  }
  if (isLogical(expression)) {
    const { operator, left, right } = expression;
    return isHarmless(left, guard) && after(left, operator === '&&', right);
  }
  return isYesOrNo(expression, guard.model) && cannotFail(expression, guard.model);
}

/** Whether every call of a role type in an expression passes the tenant of the check, and no other. */
function keepsToTenant(
  expression: Expression,
  type: string,
  isTenant: (part: Expression | undefined) => boolean,
): boolean {
  return [...within(expression)]
    .filter((part): part is Call => part.kind === 'call' && part.name === type)
    .every(({ args }) => isTenant(args[2]));
}
