import { sql } from 'kysely';
import type { Database, DatabaseTransaction } from '../platform/database.js';
import { COLUMNS, type StoredRow } from './audit-row.js';

/** Numbers that one `nextval` of the sequence stands for (its `INCREMENT BY`). */
export const SEQ_BLOCK = 1_000;

/**
 * Inserts rows in their order and in one statement; up to `SEQ_BLOCK` events. A row that is there
 * already is left as it is: one whose commit was not confirmed may be sent again.
 */
export async function insertRows(
  database: Database | DatabaseTransaction,
  rows: readonly StoredRow[],
): Promise<void> {
  if (rows.length === 0) return;
  const names = sql.join(COLUMNS.map(([name]) => sql.ref(name)));
  const values = sql.join(
    COLUMNS.map(([, type], place) => sql`(r->>${sql.lit(place + 1)})::${sql.raw(type)}`),
  );
  await sql`
    WITH block AS MATERIALIZED (SELECT nextval('audit_events_seq') AS first)
    INSERT INTO audit_events (seq, ${names})
    SELECT first + (r->>0)::bigint, ${values}
    FROM block, json_array_elements(${JSON.stringify(numbered(rows))}::json) AS r
    ON CONFLICT (id, at) DO NOTHING`.execute(database);
}

/** The rows' values, each after the place of its first event among all. */
function numbered(rows: readonly StoredRow[]): (number | string | null)[][] {
  let place = 0;
  return rows.map(({ values, count }) => {
    const row = [place, ...values];
    place += count;
    return row;
  });
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
