import { sql } from 'kysely';
import type { DatabaseTransaction } from '../platform/database.js';

/** Lines that came, and lines that went. */
export interface RuleCounts {
  readonly added: number;
  readonly removed: number;
}

/**
 * Brings the bundle's rules in the table to those that were staged, in their order, by difference:
 * what both hold stays where it is. Lines of the admin's are not touched.
 */
export async function replaceBundleRules(transaction: DatabaseTransaction): Promise<RuleCounts> {
  // A large bundle is sorted and joined as a whole, in memory where it can be.
  await sql`SET LOCAL work_mem = '64MB'`.execute(transaction);
  const removed = await dropOutgoing(transaction);
  const added = await takeIncoming(transaction);
  return { added, removed };
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

/** Gives the bundle what it newly holds, and what it held already its present place. */
async function takeIncoming(transaction: DatabaseTransaction): Promise<number> {
  const same = sql`incoming.ptype = casbin.ptype AND incoming.digest = casbin.digest`;
  const { rows } = await sql<{ added: string }>`
    SELECT count(*) AS added FROM incoming
    WHERE NOT EXISTS (SELECT FROM casbin WHERE ${same} AND bundle_rank IS NOT NULL)
  `.execute(transaction);
  await sql`
    UPDATE casbin
    SET bundle_rank = rank, bundle_file = file, bundle_line = line, tenant = incoming.tenant
    FROM incoming
    WHERE ${same} AND (bundle_rank, bundle_file, bundle_line, casbin.tenant)
      IS DISTINCT FROM (rank, file, line, incoming.tenant)`.execute(transaction);
  await sql`
    INSERT INTO casbin (ptype, rule, digest, tenant, bundle_rank, bundle_file, bundle_line)
    SELECT ptype, rule, digest, tenant, rank, file, line FROM incoming
    WHERE NOT EXISTS (SELECT FROM casbin WHERE ${same})
    ORDER BY rank`.execute(transaction);
  return Number(rows[0]?.added ?? 0);
}
