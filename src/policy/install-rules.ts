import { type BundleFault, InvalidBundle } from '../errors.js';
import type { Database, DatabaseTransaction } from '../platform/database.js';
import type { RuleLine } from '../vocabulary.js';
import { modelPath } from './locate-model.js';
import type { CompiledBundle } from './compiled-bundle.js';
import { adminRules, retenantAdminRules } from './admin-rule-store.js';
import { replaceBundleRules, type RuleCounts } from './bundle-rule-store.js';
import { ruleFault, tenantOf } from './rule-tenant.js';
import { printRule } from './rules-file.js';

/**
 * Puts the rules of a bundle into force in the place of the former bundle's. Those of the admin's
 * stay.
 *
 * @throws InvalidBundle where the bundle's model cannot hold a rule of the admin's
 */
export async function installRules(
  transaction: DatabaseTransaction,
  bundle: CompiledBundle,
): Promise<RuleCounts> {
  const faults = await adminRuleFaults(transaction, bundle);
  if (faults.length > 0) throw new InvalidBundle(faults);
  const tenant = (rule: RuleLine) => tenantOf(bundle, rule);
  const counts = await replaceBundleRules(transaction, bundle.rules, tenant);
  const kept = await adminRules(transaction);
  await retenantAdminRules(
    transaction,
    kept.map(({ rule }) => rule),
    tenant,
  );
  return counts;
}

/** The admin's rules in force that a bundle could not hold. */
export async function adminRuleFaults(
  database: Database,
  bundle: CompiledBundle,
): Promise<BundleFault[]> {
  const faults: BundleFault[] = [];
  for (const { rule, by, at } of await adminRules(database)) {
    const fault = ruleFault(bundle, rule);
    if (fault === undefined) continue;
    const message = `the rule \`${printRule(rule)}\`, added by \`${by}\` on ${at.toISOString()}, does not fit: ${fault.message}; remove it first, or keep a model that holds it`;
    faults.push({ file: modelPath(bundle.modelName), line: 1, column: 1, message });
  }
  return faults;
}
