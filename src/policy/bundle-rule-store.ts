import { sql } from 'kysely';
import type { DatabaseTransaction } from '../platform/database.js';

/** Lines that came, and lines that went. */
export interface RuleCounts {
  readonly added: number;
  readonly removed: number;
}

/**
 * Brings the bundle's rules in the table to those that were staged, in their order, by difference:
 * what both hold stays where it is. Lines of the admin's are not touched. Under the lock of the bundles
 * alone: nobody else changes what the bundle holds, and the lines that this writes are locked by it. A
 * line that an admin adds or removes meanwhile may escape it; those are noted, for `takePending`.
 */
export async function replaceBundleRules(transaction: DatabaseTransaction): Promise<RuleCounts> {
  await joinWhole(transaction, true);
  const removed = await dropOutgoing(transaction);
  const added = await countNew(transaction);
  await take(transaction, 'incoming');
  await sql`
    CREATE TEMPORARY TABLE pending ON COMMIT DROP AS
    SELECT incoming.* FROM incoming
    WHERE NOT EXISTS (SELECT FROM casbin WHERE ${sameAs('incoming')} AND bundle_rank = rank)
  `.execute(transaction);
  await sql`ANALYZE pending`.execute(transaction);
  await joinWhole(transaction, false);
  return { added, removed };
}

/**
 * Whether tables are joined whole, in memory where they can be. Of a table that has just been filled
 * Postgres knows nothing yet, and would look up each line, or sort them all: five times as long.
 */
async function joinWhole(transaction: DatabaseTransaction, whole: boolean): Promise<void> {
  const others = whole ? 'off' : 'on';
  await sql`
    SELECT set_config('work_mem', '64MB', true), set_config('enable_mergejoin', ${others}, true),
      set_config('enable_nestloop', ${others}, true)`.execute(transaction);
}

/** Gives the bundle the lines that escaped `replaceBundleRules`, few or none. Under the lock of the rules. */
export async function takePending(transaction: DatabaseTransaction): Promise<void> {
  await take(transaction, 'pending');
}

/** Takes from the bundle what it no longer holds; what an admin holds too stays in force. */
async function dropOutgoing(transaction: DatabaseTransaction): Promise<number> {
  const gone = sql`
    bundle_rank IS NOT NULL AND NOT EXISTS (
      SELECT FROM incoming WHERE incoming.ptype = casbin.ptype AND incoming.digest = casbin.digest
    )`;
  const deleted = await sql`
    DELETE FROM casbin WHERE admin_rank IS NULL AND ${gone}`.execute(transaction);
  const left = await sql`
    UPDATE casbin SET bundle_rank = NULL, bundle_file = NULL, bundle_line = NULL
    WHERE admin_rank IS NOT NULL AND ${gone}`.execute(transaction);
  return Number(deleted.numAffectedRows ?? 0) + Number(left.numAffectedRows ?? 0);
}

/** How many of the staged lines the bundle does not hold yet. */
async function countNew(transaction: DatabaseTransaction): Promise<number> {
  const { rows } = await sql<{ added: string }>`
    SELECT count(*) AS added FROM incoming
    WHERE NOT EXISTS (SELECT FROM casbin WHERE ${sameAs('incoming')} AND bundle_rank IS NOT NULL)
  `.execute(transaction);
  return Number(rows[0]?.added ?? 0);
}

/** Gives the bundle what it newly holds, and what it held already its present place. */
async function take(
  transaction: DatabaseTransaction,
  lines: 'incoming' | 'pending',
): Promise<void> {
  const from = sql.table(lines);
  const same = sameAs(lines);
  await sql`
    UPDATE casbin
    SET bundle_rank = rank, bundle_file = file, bundle_line = line, tenant = ${from}.tenant
    FROM ${from}
    WHERE ${same} AND (bundle_rank, bundle_file, bundle_line, casbin.tenant)
      IS DISTINCT FROM (rank, file, line, ${from}.tenant)`.execute(transaction);
  await sql`
    INSERT INTO casbin (ptype, rule, digest, tenant, bundle_rank, bundle_file, bundle_line)
    SELECT ptype, rule, digest, tenant, rank, file, line FROM ${from}
    WHERE NOT EXISTS (SELECT FROM casbin WHERE ${same})
    ORDER BY rank
    ON CONFLICT (ptype, digest) DO NOTHING`.execute(transaction);
}

/** Whether a line of `casbin` is that of the other table. */
function sameAs(lines: 'incoming' | 'pending') {
  const other = sql.table(lines);
  return sql`${other}.ptype = casbin.ptype AND ${other}.digest = casbin.digest`;
}
