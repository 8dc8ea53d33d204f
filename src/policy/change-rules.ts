import type { AuditEvent } from '../audit/event.js';
import { Conflict, type FieldFault, Forbidden, InvalidRequest, OwnedByBundle } from '../errors.js';
import { handOutRevision, type MadeChange } from '../platform/change-log.js';
import type { Database, DatabaseTransaction } from '../platform/database.js';
import { inTurns, type Work } from '../platform/turns.js';
import type { RuleLine } from '../vocabulary.js';
import type { ActivePolicy } from './active-policy.js';
import type { BundleStores } from './commit-bundle.js';
import {
  type AddedRule,
  addAdminRules,
  heldByBundle,
  removeAdminRules,
} from './admin-rule-store.js';
import { besideBundles, lockRules } from './rule-lock.js';
import { ruleFault, tenantField, tenantOf } from './rule-tenant.js';
import { printRule } from './rules-file.js';

/** Lines that one change may name, added and removed together. */
export const MAX_CHANGED_RULES = 10_000;

/** Rules for an admin to add and to remove. */
export interface RuleChange {
  readonly add: readonly RuleLine[];
  readonly remove: readonly RuleLine[];
  /** The tenant that every line must name. */
  readonly tenant?: string | undefined;
  /** The tenant that the caller is bound to: it may name no other's lines. */
  readonly callerTenant?: string | undefined;
  readonly actor: string;
  readonly requestId?: string | undefined;
}

/** What came of a change: the same revision as before where it changed nothing. */
export interface RuleChangeResult {
  readonly revision: number;
  readonly added: number;
  readonly removed: number;
}

/** What a change of rules needs. */
export interface RuleChangeStores extends BundleStores {
  readonly readActivePolicy: (database: Database) => Promise<ActivePolicy | undefined>;
}

/**
 * Changes the admin's rules, all of it or nothing, in one revision.
 *
 * @throws InvalidRequest with the fault of every line; Forbidden for lines of another tenant than the
 *   caller's; OwnedByBundle for a removal of what the bundle holds; Conflict while there is no bundle;
 *   Unavailable where a bundle that is being applied writes one of the lines
 */
export async function changeRules(
  stores: RuleChangeStores,
  change: RuleChange,
): Promise<RuleChangeResult> {
  refuseShape(change);
  const { database, inQueue, readActivePolicy } = stores;
  // A new bundle is compiled before anybody must wait: inside it is known.
  await readActivePolicy(database);
  const { revision, result } = await inQueue(() =>
    database.transaction().execute((transaction) => writeChange(transaction, stores, change)),
  );
  return { revision, ...result };
}

async function writeChange(
  transaction: DatabaseTransaction,
  { audit, readActivePolicy }: RuleChangeStores,
  change: RuleChange,
): Promise<MadeChange<Omit<RuleChangeResult, 'revision'>>> {
  const { actor, requestId } = change;
  await lockRules(transaction);
  const policy = await readActivePolicy(transaction);
  if (policy === undefined) throw new Conflict('no bundle is active; apply one first');
  await inTurns(refuseForeign(policy, change));
  await inTurns(refuseFaulty(policy, change));
  await refuseOwned(transaction, change.remove);
  const tenant = (rule: RuleLine) => tenantOf(policy.definition, rule);
  const { removed, added } = await besideBundles(transaction, async () => ({
    removed: await removeAdminRules(transaction, distinct(change.remove)),
    added: await addAdminRules(transaction, distinct(change.add), actor, tenant),
  }));
  const result = { added: added.length, removed: removed.length };
  return handOutRevision(transaction, async (revision) => {
    if (added.length + removed.length === 0) return { unchanged: result };
    const lines = added.map(({ rule }) => rule);
    const events = eventsOf(lines, removed, tenant).map((event) => ({
      ...event,
      kind: 'rules.changed',
      actor,
      revision,
      bundle: policy.bundle.bundle,
      ...(requestId === undefined ? {} : { requestId }),
    }));
    await audit.write(transaction, ...events);
    const only = events.length === 1 ? events[0]?.tenant : undefined;
    return {
      change: {
        kind: 'rules.changed',
        actor,
        ...(only === undefined ? {} : { tenant: only }),
        detail: result,
        rules: { added: newlyInForce(added), removed },
      },
      result,
    };
  });
}

/** A line that the bundle holds too was in force before, and keeps its rank. */
function newlyInForce(added: readonly AddedRule[]): RuleLine[] {
  return added.filter(({ isNew }) => isNew).map(({ rule }) => rule);
}

/** One event for each tenant with its own lines, so that nobody reads another's. */
function eventsOf(
  added: readonly RuleLine[],
  removed: readonly RuleLine[],
  tenantOf: (rule: RuleLine) => string | undefined,
): Pick<AuditEvent, 'tenant' | 'detail'>[] {
  const byTenant = new Map<string | undefined, { added: RuleLine[]; removed: RuleLine[] }>();
  const place = (rule: RuleLine) => {
    const tenant = tenantOf(rule);
    const lines = byTenant.get(tenant) ?? { added: [], removed: [] };
    byTenant.set(tenant, lines);
    return lines;
  };
  for (const rule of added) place(rule).added.push(rule);
  for (const rule of removed) place(rule).removed.push(rule);
  return [...byTenant].map(([tenant, detail]) => ({
    ...(tenant === undefined ? {} : { tenant }),
    detail,
  }));
}

function refuseShape({ add, remove }: RuleChange): void {
  if (add.length + remove.length > MAX_CHANGED_RULES) {
    const message = `at most ${MAX_CHANGED_RULES} lines in one change`;
    throw new InvalidRequest(message, [{ path: '', message }]);
  }
  const removed = new Set(remove.map(keyOf));
  const both = add.flatMap((rule, index): FieldFault[] =>
    removed.has(keyOf(rule)) ? [{ path: `/add/${index}`, message: 'stands in `remove` too' }] : [],
  );
  if (both.length > 0) throw new InvalidRequest('the same line is to be added and removed', both);
}

/** Pauses after each line. */
function* refuseFaulty({ definition }: ActivePolicy, change: RuleChange): Work<void> {
  const { tenant } = change;
  const faults: FieldFault[] = [];
  for (const { path, rule } of eachLine(change)) {
    yield;
    const fault = ruleFault(definition, rule);
    if (fault !== undefined) {
      faults.push({ path, message: fault.message });
    } else if (tenant !== undefined && tenantOf(definition, rule) !== tenant) {
      faults.push({ path, message: `the line is not one of the tenant \`${tenant}\` alone` });
    }
  }
  if (faults.length === 0) return;
  const lines = faults.length === 1 ? 'a line does' : `${faults.length} lines do`;
  throw new InvalidRequest(`${lines} not fit the policy in force; nothing was changed`, faults);
}

/** A caller of one tenant may name lines whose tenant field says that tenant, and no others. */
function foreignFault(
  { model }: ActivePolicy['definition'],
  rule: RuleLine,
  tenant: string,
): string | undefined {
  const field = tenantField(model, rule[0]);
  if (field === undefined) {
    return `under this model \`${rule[0]}\` lines are not one tenant's alone: they may decide in all of them`;
  }
  if (rule[field] !== tenant) return `the line is not one of the tenant \`${tenant}\``;
  if (!model.readsOtherTenants(rule)) return undefined;
  return 'its expression asks for roles of another tenant than that of the check';
}

/** Pauses after each line. */
function* refuseForeign({ definition }: ActivePolicy, change: RuleChange): Work<void> {
  const { callerTenant, tenant } = change;
  if (callerTenant === undefined) return;
  if (tenant !== undefined && tenant !== callerTenant) {
    throw new Forbidden(`the credential may not change rules of the tenant \`${tenant}\``);
  }
  for (const { path, rule } of eachLine(change)) {
    yield;
    const message = foreignFault(definition, rule, callerTenant);
    if (message !== undefined) throw new Forbidden(`\`${path}\`: ${message}`);
  }
}

async function refuseOwned(
  transaction: DatabaseTransaction,
  rules: readonly RuleLine[],
): Promise<void> {
  const [first, ...others] = await heldByBundle(transaction, rules);
  if (first === undefined) return;
  const more = others.length === 0 ? '' : ` and ${others.length} more`;
  throw new OwnedByBundle(
    `\`${printRule(first.rule)}\`${more} stands in \`${first.file}:${first.line}\`; remove it there and apply the bundle`,
  );
}

function eachLine({ add, remove }: RuleChange): { path: string; rule: RuleLine }[] {
  return [
    ...add.map((rule, index) => ({ path: `/add/${index}`, rule })),
    ...remove.map((rule, index) => ({ path: `/remove/${index}`, rule })),
  ];
}

function distinct(rules: readonly RuleLine[]): RuleLine[] {
  return [...new Map(rules.map((rule) => [keyOf(rule), rule])).values()];
}

function keyOf(rule: RuleLine): string {
  return JSON.stringify(rule);
}
