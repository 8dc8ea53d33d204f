import { certaintyOf } from './certain.js';
import { within } from './check-expression.js';
import type { ModelDefinitions } from './definitions.js';
import type { Expression } from './expression.js';

type Matched = Pick<ModelDefinitions, 'matcher' | 'requestTokens' | 'roleTypes'>;

/** Comparisons that hold for equal values alone, and those that fail for them alone. */
export const EQUALITY: ReadonlySet<string> = new Set(['==', '===']);
export const DIFFERENCE: ReadonlySet<string> = new Set(['!=', '!==']);

/** Tells the token that is filled with the tenant, as `r.dom` is, from everything else. */
export function tenantTest({
  requestTokens,
}: Pick<ModelDefinitions, 'requestTokens'>): (part: Expression | undefined) => boolean {
  return (part) =>
    part?.kind === 'token' && part.of === 'r' && requestTokens.get(part.name)?.path[0] === 'tenant';
}

/**
 * Whether the matcher compares the tenant anywhere, with a rule's value, a constant or another value
 * of the request, or passes it to a role relation. With itself is no comparison.
 */
export function usesTenant(model: Matched): boolean {
  return [...within(model.matcher)].some(comparisonTest(model)) || alwaysUsesTenant(model);
}

/** Whether no rule can match unless the tenant was compared, or passed to a role relation that held. */
export function alwaysUsesTenant(model: Matched): boolean {
  const compares = comparisonTest(model);
  const differs = comparisonTest(model, DIFFERENCE);
  const certain = certaintyOf({
    all: new Set(['compared']),
    of: (part, outcome) => ((outcome ? compares : differs)(part) ? ['compared'] : []),
  });
  return certain(model.matcher, true).size > 0;
}

/** Tells what finds the tenant equal to something, or a relation; given `DIFFERENCE`, what denies it. */
function comparisonTest(model: Matched, operators = EQUALITY): (part: Expression) => boolean {
  const isTenant = tenantTest(model);
  return (part) => {
    if (part.kind === 'binary' && operators.has(part.operator)) {
      return isTenant(part.left) !== isTenant(part.right);
    }
    if (operators === DIFFERENCE) return false;
    if (part.kind === 'binary' && part.operator === 'in') return isTenant(part.left);
    if (part.kind !== 'call') return false;
    if (model.roleTypes.has(part.name)) return part.args.some(isTenant);
    return /Match[0-9]?$/.test(part.name) && isTenant(part.args[0]) !== isTenant(part.args[1]);
  };
}
