import { type BundleFault, InvalidBundle } from '../errors.js';
import type { DatabaseTransaction } from '../platform/database.js';
import type { RuleLine } from '../vocabulary.js';
import {
  type AdminRule,
  eachAdminRule,
  noteAdminRules,
  retenantAdminRules,
} from './admin-rule-store.js';
import { replaceBundleRules, type RuleCounts, takePending } from './bundle-rule-store.js';
import type { CompiledBundle } from './compiled-bundle.js';
import { modelPath } from './locate-model.js';
import { ruleFault, tenantOf } from './rule-tenant.js';
import { printRule } from './rules-file.js';

/**
 * Writes the staged rules of a bundle in the place of the former bundle's, all that takes long of it,
 * under the lock of the bundles; those of the admin's stay. `completeRules` does the rest.
 *
 * @throws InvalidBundle where the bundle's model cannot hold a rule of the admin's
 */
export async function writeRules(
  transaction: DatabaseTransaction,
  bundle: CompiledBundle,
): Promise<RuleCounts> {
  await noteAdminRules(transaction);
  const moving = await fittingAdminRules(transaction, bundle);
  const counts = await replaceBundleRules(transaction);
  await retenantAdminRules(transaction, moving, (rule) => tenantOf(bundle, rule));
  return counts;
}

/**
 * Does what `writeRules` left, under the lock of the rules: what admins have changed since.
 *
 * @throws InvalidBundle where the bundle's model cannot hold a rule that was added since
 */
export async function completeRules(
  transaction: DatabaseTransaction,
  bundle: CompiledBundle,
): Promise<void> {
  const moving = await fittingAdminRules(transaction, bundle, { later: true });
  await takePending(transaction);
  await retenantAdminRules(transaction, moving, (rule) => tenantOf(bundle, rule));
}

/** Of the admin's rules, those that are of another tenant in this bundle. @throws InvalidBundle */
async function fittingAdminRules(
  transaction: DatabaseTransaction,
  bundle: CompiledBundle,
  which?: { readonly later: boolean },
): Promise<RuleLine[]> {
  const faults: BundleFault[] = [];
  const moving: RuleLine[] = [];
  const judge = (held: AdminRule): void => {
    const fault = adminRuleFault(bundle, held);
    if (fault !== undefined) faults.push(fault);
    else if (tenantOf(bundle, held.rule) !== held.tenant) moving.push(held.rule);
  };
  await eachAdminRule(transaction, judge, which);
  if (faults.length > 0) throw new InvalidBundle(faults);
  return moving;
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
