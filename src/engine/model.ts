import type { RuleLine } from '../vocabulary.js';
import type { ModelDefinitions, ModelOptions } from './definitions.js';
import { createNamedFunctions } from './named-functions.js';
import { readModelFile, type ModelFault } from './model-file.js';
import { readsRules } from './matcher-faults.js';
import { readDefinitions } from './read-definitions.js';
import type { RequestToken } from './request-token.js';
import { createRuleCheck, type RuleFault } from './rule-fault.js';
import { tenantFields } from './tenant-field.js';

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
  /** The index, among the values of a rule of this type, of the one that names its tenant. */
  tenantField(ptype: string): number | undefined;
  /** What is wrong with a rule under this model; undefined if nothing is. */
  faultOf(line: RuleLine): RuleFault | undefined;
}

/** Reads a Casbin model. Gives every fault at once, in the order of the text. */
export function parseModel(
  text: string,
  options: ModelOptions = {},
): { readonly model: Model } | { readonly faults: readonly ModelFault[] } {
  const file = readModelFile(text);
  const { definitions, faults } = readDefinitions(file.entries, options, createNamedFunctions());
  const all = [...file.faults, ...faults].sort((a, b) => a.line - b.line || a.column - b.column);
  if (!definitions || all.length > 0) {
    return { faults: all };
  }
  const fields = tenantFields(definitions);
  return {
    model: Object.freeze({
      ...definitions,
      text,
      hasDomain: hasDomain(definitions.requestTokens),
      readsRules: readsRules(definitions.matcher),
      tenantField: (ptype: string) => fields.get(ptype),
      faultOf: createRuleCheck(definitions),
    }),
  };
}

function hasDomain(tokens: ReadonlyMap<string, RequestToken>): boolean {
  return [...tokens.values()].some((token) => token.path[0] === 'tenant');
}
