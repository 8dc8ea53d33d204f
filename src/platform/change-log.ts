import { sql } from 'kysely';
import type { JsonObject } from '../vocabulary.js';
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
};

/** Where Postgres tells every listener of a change as it commits; the payload is the revision. */
export const CHANGES_CHANNEL = 'countersign_changes';

/** Serialises everything that makes a revision; any constant would do. */
const REVISION_LOCK = 7_400_001;

/**
 * Runs `write` and hands out its revision in one transaction. The lock is held until the commit, so
 * revisions commit in order: who has seen N has seen everything before it. `write` may return
 * `undefined` for the change to be dropped (nothing is committed, no revision is spent).
 */
export async function commitChange<Result>(
  database: Database,
  write: (
    transaction: DatabaseTransaction,
    revision: number,
  ) => Promise<{ change: Change; result: Result } | { unchanged: Result }>,
): Promise<{ revision: number; result: Result; changed: boolean }> {
  return database.transaction().execute(async (transaction) => {
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
    const outcome = await write(transaction, revision);
    if ('unchanged' in outcome) {
      await sql`ROLLBACK TO SAVEPOINT before_change`.execute(transaction);
      return { revision: current, result: outcome.unchanged, changed: false };
    }
    const { kind, actor, tenant, detail } = outcome.change;
    await log
      .updateTable('change_log')
      .set({ kind, actor, tenant: tenant ?? null, detail: JSON.stringify(detail ?? {}) })
      .where('revision', '=', String(revision))
      .execute();
    await sql`SELECT pg_notify(${CHANGES_CHANNEL}, ${String(revision)})`.execute(transaction);
    return { revision, result: outcome.result, changed: true };
  });
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
