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

/** The months that have a partition of their own, as `2026-11`. */
export async function partitionedMonths(database: Database): Promise<Set<string>> {
  const { rows } = await sql<{ name: string }>`
    SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'audit_events'::regclass`.execute(database);
  return new Set(
    rows.flatMap(({ name }) => {
      const month = /_(\d{4})_(\d{2})$/.exec(name);
      return month === null ? [] : [`${month[1]}-${month[2]}`];
    }),
  );
}

/**
 * Makes the partition of the month `[from, to)` and moves into it what the default partition holds
 * of that month. Waits at most half a second for its locks and then throws: inserts must go on.
 */
export async function makePartition(database: Database, from: Date, to: Date): Promise<void> {
  const name = `audit_events_${from.toISOString().slice(0, 7).replace('-', '_')}`;
  const partition = sql.id(name);
  await database.transaction().execute(async (transaction) => {
    await sql`SET LOCAL lock_timeout = '500ms'`.execute(transaction);
    // Two servers that start at once take turns; the second finds the partition there.
    await sql`LOCK TABLE audit_events_default IN ACCESS EXCLUSIVE MODE`.execute(transaction);
    const { rows } = await sql<{ there: boolean }>`
      SELECT to_regclass(${name}) IS NOT NULL AS there`.execute(transaction);
    if (rows[0]?.there === true) return;
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
  });
}
