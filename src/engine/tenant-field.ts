import { within } from './check-expression.js';
import type { Expression } from './expression.js';
import type { ModelDefinitions } from './definitions.js';

type Matched = Pick<ModelDefinitions, 'matcher' | 'requestTokens' | 'policyTokens' | 'roleTypes'>;

/** Comparisons that keep a rule of one tenant from answering for another. */
const EQUALITY = new Set(['==', '===']);

/** Finds its pattern anywhere: a rule of `acme` would speak for `acme-labs` too. */
const UNANCHORED = new Set(['regexMatch']);

/**
 * For each rule type the index of the value that names the rule's tenant: for `p` the field that the
 * matcher compares with the tenant, if it does; for role types of three fields the third. Empty for
 * a model without tenants.
 */
export function tenantFields(model: Matched): ReadonlyMap<string, number> {
  const fields = new Map<string, number>();
  const isTenant = tenantTest(model);
  if (![...model.requestTokens.values()].some((token) => token.path[0] === 'tenant')) {
    return fields;
  }
  const compared = [...within(model.matcher)]
    .filter((part) => part.kind !== 'call' || !UNANCHORED.has(part.name))
    .map((part) => operandsOf(part))
    .filter((operands) => operands.some(isTenant))
    .flatMap((operands) =>
      operands.filter((operand) => operand.kind === 'token' && operand.of === 'p'),
    )
    .map((operand) => (operand.kind === 'token' ? operand.name : ''));
  const index = model.policyTokens.indexOf(compared[0] ?? '');
  if (index !== -1) {
    fields.set('p', index);
  }
  for (const [type, arity] of model.roleTypes) {
    if (arity === 3) {
      fields.set(type, 2);
    }
  }
  return fields;
}

/** Whether the matcher compares the tenant with something, or passes it to a role relation. */
export function usesTenant(model: Matched): boolean {
  const isTenant = tenantTest(model);
  return [...within(model.matcher)].some((part) =>
    part.kind === 'call' && model.roleTypes.has(part.name)
      ? part.args.some(isTenant)
      : operandsOf(part).some(isTenant),
  );
}

function tenantTest(model: Matched): (part: Expression) => boolean {
  return (part) =>
    part.kind === 'token' &&
    part.of === 'r' &&
    model.requestTokens.get(part.name)?.path[0] === 'tenant';
}

/** The two sides of a comparison: of `==`, of `in`, or of a matching function. */
function operandsOf(part: Expression): readonly Expression[] {
  if (part.kind === 'binary' && EQUALITY.has(part.operator)) {
    return [part.left, part.right];
  }
  if (part.kind === 'binary' && part.operator === 'in') {
    return [part.left];
  }
  return part.kind === 'call' && /Match[0-9]?$/.test(part.name) ? part.args.slice(0, 2) : [];
}
