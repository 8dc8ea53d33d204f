import { type RawBuilder, sql } from 'kysely';
import type { Database } from '../platform/database.js';
import type { ApprovalStatus } from './approval.js';
import type { ApprovalRow } from './approval-row.js';
import type { Acting, ApprovalListing, PolicyInForce } from './approval-service.js';
import { hasChanged, type Read, readOf } from './approval-store.js';
import { namesOf, subjectNamesOf } from './eligibility.js';

type Condition = RawBuilder<boolean>;

const DEFAULT_LIMIT = 50;

/** One page and the id to go on after. */
export interface Page {
  readonly reads: readonly Read[];
  readonly next: string | null;
}

/** By what the status of an approval is read: the moment, and the policy in force. */
export interface Standing {
  readonly moment: RawBuilder<Date>;
  readonly policy: PolicyInForce | undefined;
}

/** Finds the approvals that a caller may see, newest first. The caller must reach `listing.tenant`. */
export async function searchApprovals(
  database: Database,
  standing: Standing,
  acting: Acting,
  listing: ApprovalListing,
): Promise<Page> {
  const tenant = listing.tenant ?? acting.caller.tenant;
  const limit = listing.limit ?? DEFAULT_LIMIT;
  const conditions: Condition[] = [
    await viewCondition(database, standing, acting, listing, tenant),
  ];
  if (tenant !== undefined) conditions.push(sql`tenant = ${tenant}`);
  if (listing.status !== undefined) conditions.push(hasStatus(listing.status, standing));
  if (listing.after !== undefined) conditions.push(sql`id < ${listing.after}`);
  const { rows } = await sql<ApprovalRow & { now: Date }>`
    SELECT approvals.*, ${standing.moment} AS now FROM approvals
    WHERE ${every(conditions)} ORDER BY id DESC LIMIT ${limit + 1}`.execute(database);
  const page = rows.slice(0, limit);
  return {
    reads: page.map(readOf),
    next: rows.length > limit ? (page.at(-1)?.id ?? null) : null,
  };
}

async function viewCondition(
  database: Database,
  standing: Standing,
  acting: Acting,
  { view }: ApprovalListing,
  tenant: string | undefined,
): Promise<Condition> {
  const { person } = acting.caller;
  const subjects = subjectNamesOf(acting.caller);
  const voted: Condition = sql`voters @> ARRAY[${person}]::text[]`;
  const own: Condition = sql`(requester = ${person} OR subject = ANY(${subjects}::text[]))`;
  if (view === 'mine') return own;
  if (view === 'inbox') {
    const theirs = await approverCondition(database, acting, tenant, 'open');
    return every([hasStatus('pending', standing), theirs, sql`NOT ${own}`, sql`NOT ${voted}`]);
  }
  if (acting.permits('approvals:read', tenant)) return sql`true`;
  return some([own, voted, await approverCondition(database, acting, tenant, 'approver')]);
}

/** Those of which the open stage (`open`), or any stage (`approver`), is for the caller to decide. */
async function approverCondition(
  database: Database,
  acting: Acting,
  tenant: string | undefined,
  prefix: 'open' | 'approver',
): Promise<Condition> {
  const roles = sql.ref(`${prefix}_roles`);
  const users = sql.ref(`${prefix}_users`);
  const conditions: Condition[] = [
    sql`${roles} && ${[...acting.caller.systemRoles]}::text[]`,
    sql`${users} && ${[...namesOf(acting.caller)]}::text[]`,
  ];
  for (const each of await tenantsToAsk(database, acting, tenant, prefix)) {
    const held = acting.rolesIn(each);
    if (held.length > 0) {
      conditions.push(sql`(tenant = ${each} AND ${roles} && ${[...held]}::text[])`);
    }
  }
  return some(conditions);
}

/** The tenants in which the caller's user may hold roles that matter here. */
async function tenantsToAsk(
  database: Database,
  { caller }: Acting,
  tenant: string | undefined,
  prefix: 'open' | 'approver',
): Promise<readonly string[]> {
  if (caller.user === undefined) return [];
  if (tenant !== undefined) return [tenant];
  const pending: Condition = prefix === 'open' ? sql`status = 'pending'` : sql`true`;
  const { rows } = await sql<{ tenant: string }>`
    SELECT DISTINCT tenant FROM approvals WHERE ${pending}`.execute(database);
  return rows.map((row) => row.tenant);
}

/** The status as `asItStands` gives it, whether or not the sweep has written it down. */
function hasStatus(status: ApprovalStatus, { moment, policy }: Standing): Condition {
  const isOpen: Condition = sql`(status = 'pending' AND expires_at > ${moment})`;
  switch (status) {
    case 'pending':
      return sql`(${isOpen} AND NOT ${hasChanged(policy)})`;
    case 'cancelled':
      return sql`(status = 'cancelled' OR (${isOpen} AND ${hasChanged(policy)}))`;
    case 'expired':
      return sql`(status = 'expired' OR (status = 'pending' AND expires_at <= ${moment}))`;
    case 'approved':
      return sql`(status = 'approved' AND grant_expires_at > ${moment})`;
    case 'lapsed':
      return sql`(status = 'lapsed' OR (status = 'approved' AND grant_expires_at <= ${moment}))`;
    case 'used':
    case 'rejected':
    case 'revoked':
      return sql`status = ${status}`;
    default:
      return status satisfies never;
  }
}

function every(conditions: readonly Condition[]): Condition {
  return sql`(${sql.join(conditions, sql` AND `)})`;
}

function some(conditions: readonly Condition[]): Condition {
  return sql`(${sql.join(conditions, sql` OR `)})`;
}
