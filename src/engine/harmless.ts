import { shapeOfReference, within } from './check-expression.js';
import type { ModelDefinitions } from './definitions.js';
import type { Expression } from './expression.js';
import { isLogical } from './certain.js';

type Named = Pick<ModelDefinitions, 'requestTokens' | 'roleTypes'>;

/** Functions that throw for some values, and `eval`, which may do anything. */
const MAY_FAIL: ReadonlySet<string> = new Set(['eval', 'ipMatch', 'globMatch']);
const YES_OR_NO: ReadonlySet<string> = new Set([
  '==',
  '!=',
  '===',
  '!==',
  '<',
  '>',
  '<=',
  '>=',
  'in',
]);

/** Whether a part that is no `&&`, `||`, `!` or `?:` answers yes or no, if it answers. */
export function isYesOrNo(part: Expression, { roleTypes }: Named): boolean {
  if (part.kind === 'literal') return typeof part.value === 'boolean';
  if (part.kind === 'binary') return YES_OR_NO.has(part.operator);
  return part.kind === 'call' && (roleTypes.has(part.name) || /Match[0-9]?$/.test(part.name));
}

/**
 * Whether an expression can come to no end but a value, given that each rule has a text for each of
 * its fields and patterns where patterns are read. Of a request, texts alone are certain to be there,
 * and to be comparable.
 */
export function cannotFail(expression: Expression, model: Named): boolean {
  return [...within(expression)].every((part) => {
    if (part.kind === 'call') return !MAY_FAIL.has(part.name) && hasTenant(part.args[2]);
    if (part.kind === 'binary') return part.operator !== 'in' || part.right.kind === 'list';
    if (part.kind !== 'token' || part.of === 'p') return true;
    return shapeOfReference(part, model.requestTokens)?.kind === 'text';
  });
}

/** Whether an expression comes to `true` or `false`, whatever the rule and the request. */
export function isHarmless(expression: Expression, model: Named): boolean {
  if (expression.kind === 'unary' && expression.operator === '!') {
    return cannotFail(expression.operand, model);
  }
  if (expression.kind === 'conditional') {
    const { test, whenTrue, whenFalse } = expression;
    return cannotFail(test, model) && isHarmless(whenTrue, model) && isHarmless(whenFalse, model);
  }
  if (isLogical(expression)) {
    return isHarmless(expression.left, model) && isHarmless(expression.right, model);
  }
  return isYesOrNo(expression, model) && cannotFail(expression, model);
}

/** A role relation throws for a tenant that is nothing; a token or text is always something. */
function hasTenant(argument: Expression | undefined): boolean {
  if (argument === undefined || argument.kind === 'token') return true;
  return argument.kind === 'literal' && argument.value !== null;
}
