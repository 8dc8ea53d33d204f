import { sql } from 'kysely';
import type { Database, DatabaseTransaction } from '../platform/database.js';
import { streamRows } from '../platform/stream-rows.js';
import { takeTurns } from '../platform/turns.js';
import type { RuleLine } from '../vocabulary.js';
import { batches, keyOf, type RuleTables, type TenantOf, toLine } from './rule-table.js';

/** A rule that an admin holds. */
export interface AdminRule {
  readonly rule: RuleLine;
  readonly tenant: string | undefined;
  readonly by: string;
  readonly at: Date;
}

/**
 * Notes, for this transaction, which rules an admin holds now, so that `eachAdminRule` tells those that
 * come later. By their rows: a rule that was removed and added again is another one.
 */
export async function noteAdminRules(transaction: DatabaseTransaction): Promise<void> {
  await sql`
    CREATE TEMPORARY TABLE noted ON COMMIT DROP AS
    SELECT id FROM casbin WHERE admin_rank IS NOT NULL`.execute(transaction);
  await sql`ANALYZE noted`.execute(transaction);
}

/**
 * Hands every rule that an admin holds to `take`, in the order of their adding, streamed; of them
 * those alone that came after `noteAdminRules`, where only `later` ones are asked for.
 */
export async function eachAdminRule(
  transaction: DatabaseTransaction,
  take: (rule: AdminRule) => void,
  { later = false }: { readonly later?: boolean } = {},
): Promise<void> {
  const asked = later ? sql`AND NOT EXISTS (SELECT FROM noted WHERE noted.id = casbin.id)` : sql``;
  const rules = sql<RuleTables['casbin']>`
    SELECT ptype, rule, tenant, admin_by, admin_at FROM casbin
    WHERE admin_rank IS NOT NULL ${asked} ORDER BY admin_rank`;
  const taken = (row: RuleTables['casbin']): void =>
    take({
      rule: toLine(row),
      tenant: row.tenant ?? undefined,
      by: row.admin_by ?? '',
      at: row.admin_at ?? new Date(0),
    });
  await streamRows(transaction, rules, taken, { turns: takeTurns() });
}

/** Gives rules of the admin's the tenant that another model reads from them. */
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
      WHERE casbin.ptype = sent.ptype AND casbin.digest = decode(sent.digest, 'hex')`.execute(
      transaction,
    );
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

/** A rule that an admin newly holds. */
export interface AddedRule {
  readonly rule: RuleLine;
  /** Whether it came into force by that: the bundle does not hold it. */
  readonly isNew: boolean;
}

/** Makes an admin a holder of these rules, in their order; gives those that none held before. */
export async function addAdminRules(
  transaction: DatabaseTransaction,
  rules: readonly RuleLine[],
  by: string,
  tenantOf: TenantOf,
): Promise<AddedRule[]> {
  const added: AddedRule[] = [];
  for (const batch of batches(rules)) {
    const rows = batch.map((rule, index) => ({
      ...keyOf(rule),
      rule: rule.slice(1),
      tenant: tenantOf(rule) ?? null,
      place: index + 1,
    }));
    const { rows: written } = await sql<{
      ptype: string;
      rule: readonly string[];
      is_new: boolean;
    }>`
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
      RETURNING ptype, rule, bundle_rank IS NULL AS is_new`.execute(transaction);
    for (const row of written) added.push({ rule: toLine(row), isNew: row.is_new });
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
