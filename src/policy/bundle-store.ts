import { sql } from 'kysely';
import type { Database } from '../platform/database.js';
import type { BundleFiles } from './compiled-bundle.js';

/** What the history of bundles tells of one. */
export interface BundleSummary {
  readonly bundle: number;
  readonly name: string;
  readonly model: string;
  /** Who applied it. */
  readonly author: string;
  /** The git commit that it came from, where that was given. */
  readonly commit: string | undefined;
  readonly at: Date;
  /** The revision that applying it made. */
  readonly revision: number;
  readonly active: boolean;
  /** Of the active bundle: the one that was active before it, if any was. */
  readonly previous: number | undefined;
  /** SHA-256 over its files and its model, in hex. */
  readonly digest: string;
}

/** A bundle as it is kept for good. */
export interface StoredBundle extends BundleSummary {
  /** The text of its model: what decides, whatever ships with a later version. */
  readonly modelText: string;
  readonly files: BundleFiles;
}

/** A bundle to be kept, its files aside. */
export interface NewBundle {
  readonly number: number;
  readonly name: string;
  readonly digest: Buffer;
  readonly modelName: string;
  readonly modelText: string;
  readonly author: string;
  readonly commit: string | undefined;
}

type Tables = {
  bundles: {
    number: number;
    name: string;
    digest: Buffer;
    model_name: string;
    model_text: string;
    author: string;
    commit: string | null;
    applied_at: Date;
    revision: string;
  };
  bundle_files: { bundle: number; path: string; text: string };
  active_bundle: { singleton: boolean; bundle: number; since: Date; revision: string };
};

/** Files written by one statement: enough for most bundles, little enough for the largest. */
const FILE_BATCH = 200;

function summaries(database: Database) {
  return database
    .withTables<Tables>()
    .selectFrom('bundles')
    .leftJoin('active_bundle', 'active_bundle.bundle', 'bundles.number')
    .select([
      'number',
      'name',
      'digest',
      'model_name',
      'author',
      'commit',
      'applied_at',
      'bundles.revision',
      'active_bundle.bundle as active',
      sql<number | null>`(
        SELECT (detail ->> 'previous')::integer FROM change_log
        WHERE change_log.revision = active_bundle.revision
      )`.as('previous'),
    ]);
}

type SummaryRow = Awaited<ReturnType<ReturnType<typeof summaries>['execute']>>[number];

function toSummary(row: SummaryRow): BundleSummary {
  return {
    bundle: row.number,
    name: row.name,
    model: row.model_name,
    author: row.author,
    commit: row.commit ?? undefined,
    at: row.applied_at,
    revision: Number(row.revision),
    active: row.active !== null,
    previous: row.previous ?? undefined,
    digest: row.digest.toString('hex'),
  };
}

/** The active bundle; undefined before the first was applied. */
export async function activeBundle(database: Database): Promise<BundleSummary | undefined> {
  const row = await summaries(database)
    .where('active_bundle.bundle', 'is not', null)
    .executeTakeFirst();
  return row && toSummary(row);
}

/** The bundles ever applied, the newest first; those before `before`, where it is given. */
export async function listBundles(
  database: Database,
  limit: number,
  before?: number,
): Promise<BundleSummary[]> {
  let query = summaries(database).orderBy('number', 'desc').limit(limit);
  if (before !== undefined) query = query.where('number', '<', before);
  return (await query.execute()).map(toSummary);
}

/**
 * One bundle with its files, or with those alone that define it: all but rules and tests. Undefined
 * where there is none of this number.
 */
export async function findBundle(
  database: Database,
  number: number,
  which: 'all' | 'definition' = 'all',
): Promise<StoredBundle | undefined> {
  const row = await summaries(database)
    .select('model_text')
    .where('number', '=', number)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  let query = database
    .withTables<Tables>()
    .selectFrom('bundle_files')
    .select(['path', 'text'])
    .where('bundle', '=', number)
    .orderBy(sql`path COLLATE "C"`);
  if (which === 'definition') {
    query = query.where('path', 'not like', 'rules/%').where('path', 'not like', 'tests/%');
  }
  const files = await query.execute();
  return {
    ...toSummary(row),
    modelText: row.model_text,
    files: new Map(files.map(({ path, text }) => [path, text])),
  };
}

/** How many bytes the files of a bundle hold together; 0 where there is none of this number. */
export async function sizeOfBundle(database: Database, number: number): Promise<number> {
  const { rows } = await sql<{ bytes: string | null }>`
    SELECT sum(octet_length(text)) AS bytes FROM bundle_files WHERE bundle = ${number}`.execute(
    database,
  );
  return Number(rows[0]?.bytes ?? 0);
}

/**
 * Keeps the files of a bundle that `insertBundle` of the same transaction adds; gives the number that
 * it is to have. Under the lock of the bundles.
 */
export async function keepFiles(database: Database, files: BundleFiles): Promise<number> {
  const { rows: numbers } = await sql<{ number: number }>`
    SELECT coalesce(max(number), 0) + 1 AS number FROM bundles`.execute(database);
  const bundle = numbers[0]?.number ?? 1;
  const rows = [...files].map(([path, text]) => ({ bundle, path, text }));
  for (let at = 0; at < rows.length; at += FILE_BATCH) {
    await database
      .withTables<Tables>()
      .insertInto('bundle_files')
      .values(rows.slice(at, at + FILE_BATCH))
      .execute();
  }
  return bundle;
}

/** Adds a bundle and makes it the active one. */
export async function insertBundle(
  database: Database,
  bundle: NewBundle,
  revision: number,
): Promise<void> {
  await database
    .withTables<Tables>()
    .insertInto('bundles')
    .values({
      number: bundle.number,
      name: bundle.name,
      digest: bundle.digest,
      model_name: bundle.modelName,
      model_text: bundle.modelText,
      author: bundle.author,
      commit: bundle.commit ?? null,
      applied_at: sql`clock_timestamp()`,
      revision: String(revision),
    })
    .execute();
  await setActiveBundle(database, bundle.number, revision);
}

/** Makes a bundle that is kept the active one. */
export async function setActiveBundle(
  database: Database,
  number: number,
  revision: number,
): Promise<void> {
  await sql`
    INSERT INTO active_bundle (bundle, revision) VALUES (${number}, ${revision})
    ON CONFLICT (singleton) DO UPDATE
      SET bundle = excluded.bundle, revision = excluded.revision, since = clock_timestamp()
  `.execute(database);
}
