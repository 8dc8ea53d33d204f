import { type RawBuilder, sql } from 'kysely';
import type { DatabaseTransaction } from '../platform/database.js';
import type { JsonObject } from '../vocabulary.js';
import type { AuditFilter } from './audit-filter.js';
import { MAX_SPAN } from './audit-row.js';
import { searchKey } from './search-key.js';

/** A row of `audit_events` as it is read; `batch` where its events are in `items`, read apart. */
export interface EventRow {
  readonly id: string;
  readonly seq: string;
  readonly at: Date;
  readonly tenant: string | null;
  readonly kind: string;
  readonly actor: string;
  readonly subject: string | null;
  readonly action: string | null;
  readonly resource: string | null;
  readonly decision: string | null;
  readonly reason: string | null;
  readonly rules: unknown;
  readonly revision: string | null;
  readonly bundle: number | null;
  readonly commit: string | null;
  readonly request_id: string | null;
  readonly approval_id: string | null;
  readonly ip: string | null;
  readonly asked: JsonObject | null;
  readonly detail: JsonObject | null;
  readonly batch: boolean;
}

/** An event of a batch: what its row's columns do not say, named as the columns. */
export interface BatchItem {
  readonly id: string;
  readonly at?: string;
  readonly subject?: string;
  readonly action?: string;
  readonly resource?: string;
  readonly decision?: string;
  readonly reason?: string;
  readonly rules?: unknown;
  readonly approval_id?: string;
  readonly asked?: JsonObject;
  readonly detail?: JsonObject;
}

/**
 * The rows that hold events of a filter or, those of batches, may hold some; newest first, at most
 * `count`, those numbered below `before`. The numbers of a row's events follow on its own, so no event
 * below `before` is in another row.
 */
export async function rowsBefore(
  transaction: DatabaseTransaction,
  filter: AuditFilter,
  { before, count }: { readonly before: string | undefined; readonly count: number },
): Promise<EventRow[]> {
  const shared = sharedTerms(filter, before);
  const ofWhole = wholeTerms(filter);
  const whole = sql`items IS NULL AND ${all(ofWhole)}`;
  const batch = sql`items IS NOT NULL AND ${all(batchTerms(filter))}`;
  if (ofWhole.length === 0) return read(transaction, select(all(shared), count));
  if (filter.subject === undefined) {
    return read(transaction, select(sql`${all(shared)} AND ((${whole}) OR (${batch}))`, count));
  }
  // A subject leads to the rows of either sort by another index: one question would take neither.
  return read(
    transaction,
    sql`(${select(sql`${all(shared)} AND ${whole}`, count)})
      UNION ALL (${select(sql`${all(shared)} AND ${batch}`, count)})
      ORDER BY seq DESC LIMIT ${count}`,
  );
}

/** The items of a batch, in their order. */
export async function itemsOf(
  transaction: DatabaseTransaction,
  { id, at }: Pick<EventRow, 'id' | 'at'>,
): Promise<readonly BatchItem[]> {
  const { rows } = await sql<{ items: readonly BatchItem[] }>`
    SELECT items FROM audit_events WHERE id = ${id} AND at = ${at}`.execute(transaction);
  return rows[0]?.items ?? [];
}

type Term = RawBuilder<unknown>;

async function read(transaction: DatabaseTransaction, query: Term): Promise<EventRow[]> {
  return (await sql<EventRow>`${query}`.execute(transaction)).rows;
}

function select(condition: Term, count: number): Term {
  return sql`
    SELECT id, seq, at, tenant, kind, actor, subject, action, resource, decision, reason, rules,
      revision, bundle, commit, request_id, approval_id, ip, asked, detail,
      items IS NOT NULL AS batch
    FROM audit_events WHERE ${condition} ORDER BY seq DESC LIMIT ${count}`;
}

/** What holds for a row of either sort. */
function sharedTerms({ from, to, ...filter }: AuditFilter, before: string | undefined): Term[] {
  const terms = (['tenant', 'kind', 'actor'] as const).flatMap((member) => equals(filter, member));
  if (before !== undefined) terms.push(sql`seq < ${before}::bigint`);
  if (from !== undefined) terms.push(sql`at >= ${new Date(from.getTime() - MAX_SPAN)}`);
  if (to !== undefined) terms.push(sql`at < ${to}`);
  return terms;
}

/** What besides holds for a row of one event. */
function wholeTerms({ from, ...filter }: AuditFilter): Term[] {
  const terms = (['subject', 'action', 'decision'] as const).flatMap((member) =>
    equals(filter, member),
  );
  if (from !== undefined) terms.push(sql`at >= ${from}`);
  return terms;
}

/** What besides holds for a batch that holds such an event; others may pass too. */
function batchTerms(filter: AuditFilter): Term[] {
  const keys = (['subject', 'action', 'decision'] as const).flatMap((member) => {
    const value = filter[member];
    return value === undefined ? [] : [searchKey(member, value)];
  });
  return keys.length === 0 ? [] : [sql`keys @> ${`{${keys.join(',')}}`}::integer[]`];
}

function equals(filter: AuditFilter, member: keyof AuditFilter): Term[] {
  const value = filter[member];
  return value === undefined ? [] : [sql`${sql.ref(member)} = ${value}`];
}

function all(terms: readonly Term[]): Term {
  return terms.length === 0 ? sql`true` : sql.join(terms, sql` AND `);
}
