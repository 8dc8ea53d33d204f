import { sql } from 'kysely';
import type { ChangedRules } from './change-log.js';
import type { Database } from './database.js';

/** A place in the change log. */
export interface LogPlace {
  readonly revision: number;
  /** When it was made, as exactly as Postgres knows it: a store that was set back has another there. */
  readonly at: string;
}

/** Before the first change. */
export const LOG_START: LogPlace = Object.freeze({ revision: 0, at: '' });

/** Whether it is that very change, and not another that has its number since the database was set back. */
export function isSamePlace(found: LogPlace | undefined, place: LogPlace): boolean {
  return found?.revision === place.revision && found.at === place.at;
}

/** What a reader who follows needs to know of a change. */
export interface ChangeHead extends LogPlace {
  readonly kind: string;
  /** How many lines are kept of it; undefined where none are. */
  readonly lines: number | undefined;
}

/** The newest committed change; `LOG_START` before the first. */
export async function newestPlace(database: Database): Promise<LogPlace> {
  const { rows } = await sql<{ revision: string; at: string }>`
    SELECT revision, extract(epoch FROM at)::text AS at
    FROM change_log ORDER BY revision DESC LIMIT 1`.execute(database);
  const [row] = rows;
  return row === undefined ? LOG_START : { revision: Number(row.revision), at: row.at };
}

/**
 * The changes after a place, oldest first, at most `limit`. Undefined where the log does not lead on
 * from there: the database was set back, and nothing is known of what came since.
 */
export async function headsAfter(
  database: Database,
  place: LogPlace,
  limit: number,
): Promise<readonly ChangeHead[] | undefined> {
  const { rows } = await sql<{
    revision: string;
    at: string;
    kind: string;
    lines: number | null;
  }>`
    SELECT revision, extract(epoch FROM at)::text AS at, kind, lines
    FROM change_log LEFT JOIN changed_rules USING (revision)
    WHERE revision >= ${place.revision} ORDER BY revision LIMIT ${limit + 1}`.execute(database);
  const heads = rows.map(({ revision, at, kind, lines }) => ({
    revision: Number(revision),
    at,
    kind,
    lines: lines ?? undefined,
  }));
  if (place.revision === LOG_START.revision) return heads.slice(0, limit);
  const [first, ...after] = heads;
  return isSamePlace(first, place) ? after : undefined;
}

/** The lines of the changes after one revision up to another, by revision; of those that are kept. */
export async function changedRules(
  database: Database,
  after: number,
  upTo: number,
): Promise<ReadonlyMap<number, ChangedRules>> {
  const { rows } = await sql<ChangedRules & { revision: string }>`
    SELECT revision, added, removed FROM changed_rules
    WHERE revision > ${after} AND revision <= ${upTo}`.execute(database);
  return new Map(
    rows.map(({ revision, added, removed }) => [Number(revision), { added, removed }]),
  );
}
