import { sql } from 'kysely';
import type { Database, DatabaseTransaction } from '../platform/database.js';
import { type Streaming, streamRows } from '../platform/stream-rows.js';
import type { RuleLine } from '../vocabulary.js';
import { type RuleTables, toLine } from './rule-table.js';

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

/** The rules in force that `filter` lets through, in the engine's order, each with its place in it. */
export async function listRules(
  database: Database,
  filter: RuleFilter,
): Promise<{ rule: RuleInForce; place: RulePlace }[]> {
  let query = database
    .withTables<RuleTables>()
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

function toRuleInForce(row: RuleTables['casbin']): RuleInForce {
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

function placeOf({ bundle_rank, admin_rank }: RuleTables['casbin']): RulePlace {
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
 * Hands every rule in force to `take`, in the engine's order, streamed. The transaction must be one
 * that sees a single state.
 */
export async function eachRule(
  transaction: DatabaseTransaction,
  take: (rule: RuleLine) => void,
  streaming: Streaming,
): Promise<void> {
  // The index has this order; sorting a million rules would take longer than all the rest.
  await sql`SET LOCAL enable_sort = off`.execute(transaction);
  // As text: parsed in turns of our own, not all where they arrive.
  const rules = sql<{ line: string }>`
    SELECT (jsonb_build_array(ptype) || rule)::text AS line
    FROM casbin ORDER BY bundle_rank NULLS LAST, admin_rank`;
  await streamRows(transaction, rules, ({ line }) => take(JSON.parse(line) as RuleLine), streaming);
}
