import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import type { Database, DatabaseTransaction } from '../platform/database.js';
import type { RuleLine } from '../vocabulary.js';
import type { BundleRule } from './compiled-bundle.js';

/** Rules sent or fetched by one statement. */
const BATCH = 5_000;

/** Lines that came, and lines that went. */
export interface RuleCounts {
  readonly added: number;
  readonly removed: number;
}

/** Who holds a rule in force: the bundle, an admin, or both. */
export interface RuleSource {
  readonly bundle?: { readonly file: string; readonly line: number };
  readonly admin?: { readonly by: string; readonly at: Date };
}

/** A rule in force. */
export interface RuleInForce {
  readonly rule: RuleLine;
  readonly tenant: string | undefined;
  readonly source: RuleSource;
}

/** Which rules to list; members left out do not narrow. */
export interface RuleFilter {
  readonly tenant?: string;
  readonly ptype?: string;
  readonly subject?: string;
  /** Which field holds the subject, by type (the type itself is field 0); 1 for types not listed. */
  readonly subjectFields?: ReadonlyMap<string, number>;
  /** The place after which to go on, as `RulePage.next` gave it. */
  readonly after?: RulePlace;
  readonly limit: number;
}

/** A place in the order of rules: a rank among the bundle's, else one among the admin's. */
export interface RulePlace {
  readonly bundle?: number;
  readonly admin?: number;
}

/** Gives the tenant of a rule, as the column `tenant` keeps it. */
export type TenantOf = (rule: RuleLine) => string | undefined;

type Tables = {
  casbin: {
    id: string;
    ptype: string;
    rule: readonly string[];
    digest: Buffer;
    tenant: string | null;
    bundle_rank: string | null;
    bundle_file: string | null;
    bundle_line: number | null;
    admin_rank: string | null;
    admin_by: string | null;
    admin_at: Date | null;
  };
};

function toLine({ ptype, rule }: { ptype: string; rule: readonly string[] }): RuleLine {
  return [ptype, ...rule];
}

/** One rule, one digest: SHA-256 over its values, of any length. */
function digestOf([, ...values]: RuleLine): string {
  return createHash('sha256').update(JSON.stringify(values)).digest('hex');
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

/** The rules that an admin holds, in the order of their adding. */
export async function adminRules(
  database: Database,
): Promise<{ rule: RuleLine; by: string; at: Date }[]> {
  const rows = await database
    .withTables<Tables>()
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

/** The rules in force that `filter` lets through, in the engine's order, each with its place in it. */
export async function listRules(
  database: Database,
  filter: RuleFilter,
): Promise<{ rule: RuleInForce; place: RulePlace }[]> {
  let query = database
    .withTables<Tables>()
    .selectFrom('casbin')
    .selectAll()
    .orderBy('bundle_rank', (order) => order.asc().nullsLast())
    .orderBy('admin_rank')
    .limit(filter.limit);
  const { tenant, ptype, subject, after } = filter;
  if (tenant !== undefined) query = query.where('tenant', '=', tenant);
  if (ptype !== undefined) query = query.where('ptype', '=', ptype);
  if (subject !== undefined) query = query.where(subjectField(filter), '=', subject);
  if (after?.bundle !== undefined) {
    const { bundle } = after;
    query = query.where((where) =>
      where.or([where('bundle_rank', '>', String(bundle)), where('bundle_rank', 'is', null)]),
    );
  } else if (after?.admin !== undefined) {
    query = query.where('bundle_rank', 'is', null).where('admin_rank', '>', String(after.admin));
  }
  const rows = await query.execute();
  return rows.map((row) => ({ rule: toRuleInForce(row), place: placeOf(row) }));
}

function toRuleInForce(row: Tables['casbin']): RuleInForce {
  const { bundle_file: file, bundle_line: line, admin_by: by, admin_at: at } = row;
  return {
    rule: toLine(row),
    tenant: row.tenant ?? undefined,
    source: {
      ...(file === null || line === null ? {} : { bundle: { file, line } }),
      ...(by === null || at === null ? {} : { admin: { by, at } }),
    },
  };
}

function placeOf({ bundle_rank, admin_rank }: Tables['casbin']): RulePlace {
  return bundle_rank === null ? { admin: Number(admin_rank) } : { bundle: Number(bundle_rank) };
}

/** Where the subject stands in a row, which depends on its type. */
function subjectField({ subjectFields }: RuleFilter) {
  const others = [...(subjectFields ?? [])].filter(([, field]) => field !== 1);
  if (others.length === 0) return sql<string>`rule ->> 0`;
  const cases = others.map(([ptype, field]) => sql`WHEN ${ptype} THEN ${field - 1}::integer`);
  return sql<string>`rule ->> (CASE ptype ${sql.join(cases, sql` `)} ELSE 0 END)`;
}

/**
 * Hands every rule in force to `take`, in the engine's order, some thousand at a time: between two
 * batches the event loop is free. The transaction must be one that sees a single state.
 */
export async function eachRule(
  transaction: DatabaseTransaction,
  take: (rule: RuleLine) => void,
): Promise<void> {
  await sql`
    DECLARE rules_in_force NO SCROLL CURSOR FOR
    SELECT ptype, rule FROM casbin ORDER BY bundle_rank NULLS LAST, admin_rank`.execute(
    transaction,
  );
  const fetch = sql<{ ptype: string; rule: readonly string[] }>`
    FETCH ${sql.lit(BATCH)} FROM rules_in_force`;
  for (;;) {
    const { rows } = await fetch.execute(transaction);
    for (const row of rows) take(toLine(row));
    if (rows.length < BATCH) break;
  }
  await sql`CLOSE rules_in_force`.execute(transaction);
}

function keyOf(rule: RuleLine): { ptype: string; digest: string } {
  return { ptype: rule[0], digest: digestOf(rule) };
}

/** Keys of rules as a table to join with. */
function sent(rules: readonly RuleLine[]) {
  return sql`(
    SELECT ptype, decode(digest, 'hex') AS digest
    FROM jsonb_to_recordset(${JSON.stringify(rules.map(keyOf))}::jsonb)
      AS keys (ptype text, digest text)
  ) AS sent`;
}

function* batches(rules: readonly RuleLine[]): Generator<readonly RuleLine[]> {
  for (let at = 0; at < rules.length; at += BATCH) yield rules.slice(at, at + BATCH);
}
