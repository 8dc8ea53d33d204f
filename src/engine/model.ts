import type { RuleLine } from '../vocabulary.js';
import type { ModelDefinitions, ModelOptions } from './definitions.js';
import { createNamedFunctions } from './named-functions.js';
import { readModelFile, type ModelFault } from './model-file.js';
import { evaluatedFields, readsRules } from './matcher-faults.js';
import { readDefinitions } from './read-definitions.js';
import type { RequestToken } from './request-token.js';
import { createRuleCheck, parseRuleExpression, type RuleFault } from './rule-fault.js';
import { asksOnlyOwnRoles, tenantFields } from './tenant-field.js';

export type { ModelDefinitions, ModelOptions } from './definitions.js';
export type { ModelFault } from './model-file.js';
export type { RuleFault } from './rule-fault.js';

/** A Casbin model without faults; immutable. */
export interface Model extends ModelDefinitions {
  readonly text: string;
  /** Whether a request token is filled from the tenant. */
  readonly hasDomain: boolean;
  /** Whether the matcher reads rules at all; one that does not answers from the request alone. */
  readonly readsRules: boolean;
  /**
   * The index, among the values of a rule of this type, of the one that names its tenant: the only
   * one in whose checks the rule has a part. Undefined where the model does not make that certain.
   */
  tenantField(ptype: string): number | undefined;
  /** Whether a rule's own expressions ask for roles of another tenant than that of the check. */
  readsOtherTenants(line: RuleLine): boolean;
  /** What is wrong with a rule under this model; undefined if nothing is. */
  faultOf(line: RuleLine): RuleFault | undefined;
}

/**
 * Reads a Casbin model. Gives every fault at once, in the order of the text; a model without one
 * comes with warnings of what is seldom meant.
 */
export function parseModel(
  text: string,
  options: ModelOptions = {},
):
  | { readonly model: Model; readonly warnings: readonly ModelFault[] }
  | { readonly faults: readonly ModelFault[] } {
  const file = readModelFile(text);
  const reading = readDefinitions(file.entries, options, createNamedFunctions());
  const { definitions, faults, warnings } = reading;
  const all = [...file.faults, ...faults].sort((a, b) => a.line - b.line || a.column - b.column);
  if (!definitions || all.length > 0) {
    return { faults: all };
  }
  const fields = tenantFields(definitions);
  return {
    warnings,
    model: Object.freeze({
      ...definitions,
      text,
      hasDomain: hasDomain(definitions.requestTokens),
      readsRules: readsRules(definitions.matcher),
      tenantField: (ptype: string) => fields.get(ptype),
      readsOtherTenants: otherTenantsTest(definitions),
      faultOf: createRuleCheck(definitions),
    }),
  };
}

function hasDomain(tokens: ReadonlyMap<string, RequestToken>): boolean {
  return [...tokens.values()].some((token) => token.path[0] === 'tenant');
}

function otherTenantsTest(definitions: ModelDefinitions): (line: RuleLine) => boolean {
  const evaluated = evaluatedFields(definitions);
  const fields = definitions.policyTokens.flatMap((name, index) =>
    evaluated.has(name) ? [index + 1] : [],
  );
  return (line) =>
    line[0] === 'p' &&
    fields.some((field) => {
      const parsed = parseRuleExpression(line[field] ?? '', definitions);
      return 'expression' in parsed && !asksOnlyOwnRoles(parsed.expression, definitions);
    });
}
