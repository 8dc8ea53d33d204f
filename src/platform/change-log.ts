import { sql } from 'kysely';
import type { JsonObject, RuleLine } from '../vocabulary.js';
import type { Database, DatabaseTransaction } from './database.js';

/** What changed: enough for a reader to know what to read again, and for history. */
export interface Change {
  /** `bundle.applied`, `bundle.activated`, `rules.changed`, `key.created`, `key.revoked`, … */
  readonly kind: string;
  /** The person or caller who made it. */
  readonly actor: string;
  /** The tenant that it touches; left out where it may touch any. */
  readonly tenant?: string;
  readonly detail?: JsonObject;
  /** Of `rules.changed`: the lines that came into force, in rank order, and those that went out of it. */
  readonly rules?: ChangedRules;
}

/** Lines that came into force, in rank order after all others, and lines that went before that. */
export interface ChangedRules {
  readonly added: readonly RuleLine[];
  readonly removed: readonly RuleLine[];
}

/** One committed change, as readers find it. */
export interface LoggedChange extends Change {
  readonly revision: number;
  readonly at: Date;
}

type Tables = {
  change_log: {
    revision: string;
    at: Date;
    kind: string;
    actor: string;
    tenant: string | null;
    detail: unknown;
  };
  changed_rules: { revision: string; lines: number; added: unknown; removed: unknown };
};

/** Where Postgres tells every listener of a change as it commits; the payload is the revision. */
export const CHANGES_CHANNEL = 'countersign_changes';

/** Serialises everything that makes a revision; any constant would do. */
const REVISION_LOCK = 7_400_001;

/** Changes whose lines are kept: who is behind by more reads all rules again. */
const KEPT_CHANGES = 1_000;

/** What a change comes to: what is logged of it, or that there was nothing to change. */
export type ChangeOutcome<Result> =
  | { readonly change: Change; readonly result: Result }
  | { readonly unchanged: Result };

/** A change that was made, and its revision; the present one where nothing changed. */
export interface MadeChange<Result> {
  readonly revision: number;
  readonly result: Result;
  readonly changed: boolean;
}

/**
 * Runs `write` and hands out its revision in one transaction. The lock is held until the commit, so
 * revisions commit in order: who has seen N has seen everything before it. `write` may answer
 * `unchanged` for the change to be dropped (nothing is committed, no revision is spent).
 */
export async function commitChange<Result>(
  database: Database,
  write: (transaction: DatabaseTransaction, revision: number) => Promise<ChangeOutcome<Result>>,
): Promise<MadeChange<Result>> {
  return database
    .transaction()
    .execute((transaction) =>
      handOutRevision(transaction, (revision) => write(transaction, revision)),
    );
}

/**
 * The last part of a transaction that changes something, as `commitChange` does it. What takes long
 * stands before it in the transaction: from here to the commit every other change waits. Where
 * `write` answers `unchanged`, what it wrote is taken back; what stood before it is the caller's.
 */
export async function handOutRevision<Result>(
  transaction: DatabaseTransaction,
  write: (revision: number) => Promise<ChangeOutcome<Result>>,
): Promise<MadeChange<Result>> {
  await sql`SELECT pg_advisory_xact_lock(${REVISION_LOCK})`.execute(transaction);
  const current = await latestRevision(transaction);
  const revision = current + 1;
  await sql`SELECT set_config('countersign.revision', ${String(revision)}, true)`.execute(
    transaction,
  );
  // The row goes in first: bundles refer to it. Its words are filled in when they are known.
  await sql`SAVEPOINT before_change`.execute(transaction);
  const log = transaction.withTables<Tables>();
  await log
    .insertInto('change_log')
    .values({
      revision: String(revision),
      kind: '',
      actor: '',
      at: sql`clock_timestamp()`,
      detail: '{}',
      tenant: null,
    })
    .execute();
  const outcome = await write(revision);
  if ('unchanged' in outcome) {
    await sql`ROLLBACK TO SAVEPOINT before_change`.execute(transaction);
    return { revision: current, result: outcome.unchanged, changed: false };
  }
  const { kind, actor, tenant, detail, rules } = outcome.change;
  await log
    .updateTable('change_log')
    .set({ kind, actor, tenant: tenant ?? null, detail: JSON.stringify(detail ?? {}) })
    .where('revision', '=', String(revision))
    .execute();
  if (rules !== undefined) await keepLines(transaction, revision, rules);
  await sql`SELECT pg_notify(${CHANGES_CHANNEL}, ${String(revision)})`.execute(transaction);
  return { revision, result: outcome.result, changed: true };
}

async function keepLines(
  transaction: DatabaseTransaction,
  revision: number,
  { added, removed }: ChangedRules,
): Promise<void> {
  const tables = transaction.withTables<Tables>();
  await tables
    .insertInto('changed_rules')
    .values({
      revision: String(revision),
      lines: added.length + removed.length,
      added: JSON.stringify(added),
      removed: JSON.stringify(removed),
    })
    .execute();
  await tables
    .deleteFrom('changed_rules')
    .where('revision', '<=', String(revision - KEPT_CHANGES))
    .execute();
}

/** The newest committed revision; 0 before the first change. */
export async function latestRevision(database: Database): Promise<number> {
  const { rows } = await sql<{ revision: string | null }>`
    SELECT max(revision) AS revision FROM change_log`.execute(database);
  return Number(rows[0]?.revision ?? 0);
}

/** The changes after `revision`, oldest first, at most `limit`. */
export async function changesAfter(
  database: Database,
  revision: number,
  limit: number,
): Promise<LoggedChange[]> {
  const rows = await database
    .withTables<Tables>()
    .selectFrom('change_log')
    .selectAll()
    .where('revision', '>', String(revision))
    .orderBy('revision')
    .limit(limit)
    .execute();
  return rows.map((row) => ({
    revision: Number(row.revision),
    at: row.at,
    kind: row.kind,
    actor: row.actor,
    ...(row.tenant === null ? {} : { tenant: row.tenant }),
    detail: row.detail as JsonObject,
  }));
}
