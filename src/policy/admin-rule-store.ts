import { sql } from 'kysely';
import type { Database, DatabaseTransaction } from '../platform/database.js';
import type { RuleLine } from '../vocabulary.js';
import { batches, keyOf, type RuleTables, type TenantOf, toLine } from './rule-table.js';

/** The rules that an admin holds, in the order of their adding. */
export async function adminRules(
  database: Database,
): Promise<{ rule: RuleLine; by: string; at: Date }[]> {
  const rows = await database
    .withTables<RuleTables>()
    .selectFrom('casbin')
    .select(['ptype', 'rule', 'admin_by', 'admin_at'])
    .where('admin_rank', 'is not', null)
    .orderBy('admin_rank')
    .execute();
  return rows.map((row) => ({
    rule: toLine(row),
    by: row.admin_by ?? '',
    at: row.admin_at ?? new Date(0),
  }));
}

/** Gives the rules that only an admin holds the tenant that another model reads from them. */
export async function retenantAdminRules(
  transaction: DatabaseTransaction,
  rules: readonly RuleLine[],
  tenantOf: TenantOf,
): Promise<void> {
  for (const batch of batches(rules)) {
    const rows = batch.map((rule) => ({ ...keyOf(rule), tenant: tenantOf(rule) ?? null }));
    await sql`
      UPDATE casbin SET tenant = sent.tenant
      FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) AS sent
        (ptype text, digest text, tenant text)
      WHERE casbin.ptype = sent.ptype AND casbin.digest = decode(sent.digest, 'hex')
        AND casbin.tenant IS DISTINCT FROM sent.tenant`.execute(transaction);
  }
}

/** Of these rules, those that the bundle holds, and where. */
export async function heldByBundle(
  database: Database,
  rules: readonly RuleLine[],
): Promise<{ rule: RuleLine; file: string; line: number }[]> {
  const held: { rule: RuleLine; file: string; line: number }[] = [];
  for (const batch of batches(rules)) {
    const { rows } = await sql<{
      ptype: string;
      rule: readonly string[];
      file: string;
      line: number;
    }>`
      SELECT casbin.ptype, rule, bundle_file AS file, bundle_line AS line
      FROM casbin JOIN ${sent(batch)} USING (ptype, digest)
      WHERE bundle_rank IS NOT NULL ORDER BY bundle_rank`.execute(database);
    for (const row of rows) held.push({ rule: toLine(row), file: row.file, line: row.line });
  }
  return held;
}

/** Makes an admin a holder of these rules, in their order; gives those that none held before. */
export async function addAdminRules(
  transaction: DatabaseTransaction,
  rules: readonly RuleLine[],
  by: string,
  tenantOf: TenantOf,
): Promise<RuleLine[]> {
  const added: RuleLine[] = [];
  for (const batch of batches(rules)) {
    const rows = batch.map((rule, index) => ({
      ...keyOf(rule),
      rule: rule.slice(1),
      tenant: tenantOf(rule) ?? null,
      place: index + 1,
    }));
    const { rows: written } = await sql<{ ptype: string; rule: readonly string[] }>`
      INSERT INTO casbin (ptype, rule, digest, tenant, admin_rank, admin_by, admin_at)
      SELECT ptype, rule, decode(digest, 'hex'), tenant,
        place + (SELECT coalesce(max(admin_rank), 0) FROM casbin), ${by}, clock_timestamp()
      FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) AS sent
        (ptype text, digest text, rule jsonb, tenant text, place integer)
      ORDER BY place
      ON CONFLICT (ptype, digest) DO UPDATE
        SET admin_rank = excluded.admin_rank, admin_by = excluded.admin_by,
          admin_at = excluded.admin_at
        WHERE casbin.admin_rank IS NULL
      RETURNING ptype, rule`.execute(transaction);
    for (const row of written) added.push(toLine(row));
  }
  return added;
}

/** Takes rules that only an admin holds out of force; gives those that were. */
export async function removeAdminRules(
  transaction: DatabaseTransaction,
  rules: readonly RuleLine[],
): Promise<RuleLine[]> {
  const removed: RuleLine[] = [];
  for (const batch of batches(rules)) {
    const { rows } = await sql<{ ptype: string; rule: readonly string[] }>`
      DELETE FROM casbin USING ${sent(batch)}
      WHERE casbin.ptype = sent.ptype AND casbin.digest = sent.digest AND bundle_rank IS NULL
      RETURNING casbin.ptype, rule`.execute(transaction);
    for (const row of rows) removed.push(toLine(row));
  }
  return removed;
}

/** Keys of rules as a table to join with. */
function sent(rules: readonly RuleLine[]) {
  return sql`(
    SELECT ptype, decode(digest, 'hex') AS digest
    FROM jsonb_to_recordset(${JSON.stringify(rules.map(keyOf))}::jsonb)
      AS keys (ptype text, digest text)
  ) AS sent`;
}
