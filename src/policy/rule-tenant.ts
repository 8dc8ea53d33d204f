import type { Model, RuleFault as ModelRuleFault } from '../engine/model.js';
import type { RuleLine } from '../vocabulary.js';
import type { BundleSettings } from './compiled-bundle.js';
import type { RuleFault } from './rules-file.js';
import { isTenantId } from './tenant-id.js';

/** What the tenant of a rule depends on. */
export interface RuleHome {
  readonly model: Model;
  readonly settings: Pick<BundleSettings, 'tenants'>;
}

/**
 * The one tenant that a rule speaks of: what its tenant field says, or the only tenant of a bundle
 * whose model has no `dom`. Undefined where it may speak of several, as every rule may of a type for
 * which the model makes no field the tenant's, or of none that a check could name.
 */
export function tenantOf({ model, settings }: RuleHome, rule: RuleLine): string | undefined {
  const field = tenantField(model, rule[0]);
  if (field !== undefined) {
    const value = rule[field];
    return value !== undefined && isTenantId(value) ? value : undefined;
  }
  if (model.hasDomain) return undefined;
  return settings.tenants?.length === 1 ? settings.tenants[0] : undefined;
}

/**
 * Which field of a line of this type names the one tenant in whose checks it has a part; the type
 * itself is field 0. Undefined where the model makes that certain for none.
 */
export function tenantField(model: Model, ptype: string): number | undefined {
  const index = model.tenantField(ptype);
  return index === undefined ? undefined : index + 1;
}

/** The model counts fields from the first value, a line from its type. */
function placed({ field, message }: ModelRuleFault): RuleFault {
  return field === undefined ? { message } : { field: field + 1, message };
}

/** Why a bundle cannot hold this rule, whoever gives it; undefined where it can. */
export function ruleFault(home: RuleHome, rule: RuleLine): RuleFault | undefined {
  const fault = home.model.faultOf(rule);
  if (fault) return placed(fault);
  const field = tenantField(home.model, rule[0]);
  const { tenants } = home.settings;
  if (field === undefined || tenants === undefined) return undefined;
  const tenant = rule[field];
  if (tenant === undefined || tenants.includes(tenant)) return undefined;
  return {
    field,
    message: `the tenant \`${tenant}\` is not among the \`tenants\` of \`bundle.yaml\``,
  };
}
