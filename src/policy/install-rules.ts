import { type BundleFault, InvalidBundle } from '../errors.js';
import type { DatabaseTransaction } from '../platform/database.js';
import type { RuleLine } from '../vocabulary.js';
import { type AdminRule, eachAdminRule, retenantAdminRules } from './admin-rule-store.js';
import { replaceBundleRules, type RuleCounts } from './bundle-rule-store.js';
import type { CompiledBundle } from './compiled-bundle.js';
import { modelPath } from './locate-model.js';
import { ruleFault, tenantOf } from './rule-tenant.js';
import { printRule } from './rules-file.js';

/**
 * Puts the staged rules of a bundle into force in the place of the former bundle's. Those of the
 * admin's stay.
 *
 * @throws InvalidBundle where the bundle's model cannot hold a rule of the admin's
 */
export async function installRules(
  transaction: DatabaseTransaction,
  bundle: CompiledBundle,
): Promise<RuleCounts> {
  const tenant = (rule: RuleLine) => tenantOf(bundle, rule);
  const faults: BundleFault[] = [];
  const moving: RuleLine[] = [];
  await eachAdminRule(transaction, (held) => {
    const fault = adminRuleFault(bundle, held);
    if (fault !== undefined) faults.push(fault);
    else if (tenant(held.rule) !== held.tenant) moving.push(held.rule);
  });
  if (faults.length > 0) throw new InvalidBundle(faults);
  const counts = await replaceBundleRules(transaction);
  await retenantAdminRules(transaction, moving, tenant);
  return counts;
}

/** The admin's rules in force that a bundle could not hold. */
export async function adminRuleFaults(
  transaction: DatabaseTransaction,
  bundle: CompiledBundle,
): Promise<BundleFault[]> {
  const faults: BundleFault[] = [];
  await eachAdminRule(transaction, (held) => {
    const fault = adminRuleFault(bundle, held);
    if (fault !== undefined) faults.push(fault);
  });
  return faults;
}

function adminRuleFault(
  bundle: CompiledBundle,
  { rule, by, at }: AdminRule,
): BundleFault | undefined {
  const fault = ruleFault(bundle, rule);
  if (fault === undefined) return undefined;
  const message = `the rule \`${printRule(rule)}\`, added by \`${by}\` on ${at.toISOString()}, does not fit: ${fault.message}; remove it first, or keep a model that holds it`;
  return { file: modelPath(bundle.modelName), line: 1, column: 1, message };
}
