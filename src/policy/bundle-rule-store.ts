import { sql } from 'kysely';
import type { DatabaseTransaction } from '../platform/database.js';
import type { BundleRule } from './compiled-bundle.js';
import { BATCH, digestOf, type TenantOf } from './rule-table.js';

/** Lines that came, and lines that went. */
export interface RuleCounts {
  readonly added: number;
  readonly removed: number;
}

/**
 * Brings the bundle's rules in the table to `rules`, in their order, by difference: what both hold
 * stays where it is. Lines of the admin's are not touched.
 */
export async function replaceBundleRules(
  transaction: DatabaseTransaction,
  rules: readonly BundleRule[],
  tenantOf: TenantOf,
): Promise<RuleCounts> {
  // A large bundle is sorted and joined as a whole, in memory where it can be.
  await sql`SET LOCAL work_mem = '64MB'`.execute(transaction);
  await sql`
    CREATE TEMPORARY TABLE incoming (
      rank   bigint NOT NULL,
      ptype  text NOT NULL,
      rule   jsonb NOT NULL,
      digest bytea NOT NULL,
      tenant text,
      file   text NOT NULL,
      line   integer NOT NULL
    ) ON COMMIT DROP`.execute(transaction);
  for (let at = 0; at < rules.length; at += BATCH) {
    await sendIncoming(transaction, rules.slice(at, at + BATCH), at, tenantOf);
  }
  await sql`ANALYZE incoming`.execute(transaction);
  const removed = await dropOutgoing(transaction);
  const added = await takeIncoming(transaction);
  await sql`DROP TABLE incoming`.execute(transaction);
  return { added, removed };
}

async function sendIncoming(
  transaction: DatabaseTransaction,
  rules: readonly BundleRule[],
  before: number,
  tenantOf: TenantOf,
): Promise<void> {
  const rows = rules.map(({ line, source }, index) => ({
    rank: before + index + 1,
    ptype: line[0],
    rule: line.slice(1),
    digest: digestOf(line),
    tenant: tenantOf(line) ?? null,
    file: source.file,
    line: source.line,
  }));
  await sql`
    INSERT INTO incoming (rank, ptype, rule, digest, tenant, file, line)
    SELECT rank, ptype, rule, decode(digest, 'hex'), tenant, file, line
    FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) AS sent
      (rank bigint, ptype text, rule jsonb, digest text, tenant text, file text, line integer)
  `.execute(transaction);
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
