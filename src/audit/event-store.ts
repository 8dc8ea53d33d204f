import { sql } from 'kysely';
import type { Database, DatabaseTransaction } from '../platform/database.js';

/** The columns of `audit_events`, named as the members of an event as the API shows it. */
export interface AuditRow {
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
  readonly detail: unknown;
}

/** The audit's table. */
export type AuditTables = { audit_events: AuditRow };

/**
 * Inserts events, given as the JSON texts of their rows, in their order and in one statement. An
 * event that is there already is left as it is: a batch whose commit was not confirmed may be sent
 * again.
 */
export async function insertEvents(
  database: Database | DatabaseTransaction,
  rows: readonly string[],
): Promise<void> {
  if (rows.length === 0) return;
  await sql`
    INSERT INTO audit_events (id, at, tenant, kind, actor, subject, action, resource, decision,
      reason, rules, revision, bundle, commit, request_id, approval_id, ip, detail)
    SELECT id, at, tenant, kind, actor, subject, action, resource, decision,
      reason, rules, revision, bundle, commit, request_id, approval_id, ip, detail
    FROM ROWS FROM (json_to_recordset(${`[${rows.join(',')}]`}::json) AS (
      id text, at timestamptz, tenant text, kind text, actor text, subject text, action text,
      resource text, decision text, reason text, rules jsonb, revision bigint, bundle integer,
      commit text, request_id text, approval_id text, ip text, detail jsonb)) WITH ORDINALITY
    ORDER BY ordinality
    ON CONFLICT (id, at) DO NOTHING`.execute(database);
}

/** A month as the instants where it begins and where the next one does. */
export interface Month {
  readonly from: Date;
  readonly to: Date;
}

/** Which of the months have no partition of their own. */
export async function monthsWithoutPartition(
  database: Database | DatabaseTransaction,
  months: readonly Month[],
): Promise<Month[]> {
  const { rows } = await sql<{ name: string }>`
    SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'audit_events'::regclass`.execute(database);
  const there = new Set(rows.map((row) => row.name));
  return months.filter((month) => !there.has(partitionName(month)));
}

/**
 * Makes the partitions that are missing, and moves into them what the default partition holds of
 * their months. Waits for its locks only a moment and then throws: inserts must go on.
 */
export async function makePartitions(database: Database, months: readonly Month[]): Promise<void> {
  await database.transaction().execute(async (transaction) => {
    await sql`SET LOCAL lock_timeout = '200ms'`.execute(transaction);
    // The whole table: a query that was planned before must not miss what moves meanwhile.
    await sql`LOCK TABLE audit_events IN ACCESS EXCLUSIVE MODE`.execute(transaction);
    for (const month of await monthsWithoutPartition(transaction, months)) {
      await makePartition(transaction, month);
    }
  });
}

async function makePartition(transaction: DatabaseTransaction, month: Month): Promise<void> {
  const partition = sql.id(partitionName(month));
  const { from, to } = month;
  await sql`CREATE TABLE ${partition} (LIKE audit_events INCLUDING ALL)`.execute(transaction);
  await sql`
    WITH moved AS (
      DELETE FROM audit_events_default WHERE at >= ${from} AND at < ${to} RETURNING *)
    INSERT INTO ${partition} SELECT * FROM moved`.execute(transaction);
  await sql`
    ALTER TABLE audit_events ATTACH PARTITION ${partition}
      FOR VALUES FROM (${sql.lit(from.toISOString())}) TO (${sql.lit(to.toISOString())})`.execute(
    transaction,
  );
}

function partitionName({ from }: Month): string {
  return `audit_events_${from.toISOString().slice(0, 7).replace('-', '_')}`;
}
