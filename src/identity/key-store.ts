import { type Selectable, sql } from 'kysely';
import { isSamePlace, LOG_START, type LogPlace } from '../platform/change-tail.js';
import type { Database, DatabaseTransaction } from '../platform/database.js';
import { type Streaming, streamRows } from '../platform/stream-rows.js';

/** The id of the root key: the only one that is not made through the API. */
export const ROOT_KEY_ID = 'root';

type Tables = {
  api_keys: {
    id: string;
    hash: Buffer;
    name: string;
    tenant: string | null;
    user_id: string | null;
    person: string;
    roles: string[];
    created_at: Date;
    created_by: string;
    expires_at: Date | null;
    revoked_at: Date | null;
  };
};

/** A key as it is stored. */
export type KeyRow = Selectable<Tables['api_keys']>;

/** What is known of a key besides its secret. */
export type KeyDetails = Omit<KeyRow, 'hash'>;

/** What of a live key a server holds: text, as there may be many. */
export interface HeldKeyRow {
  readonly id: string;
  /** The SHA-256 of the key, in lower-case hex. */
  readonly hash: string;
  /** The `HeldKey` of it as JSON. */
  readonly line: string;
}

/** The id, the tenant, the user, the person, the roles and the end of a key, in milliseconds since the epoch. */
export type HeldKey = readonly [
  id: string,
  tenant: string | null,
  user: string | null,
  person: string,
  roles: readonly string[],
  expiresAt: number | 'Infinity' | '-Infinity' | null,
];

const HASH = sql<string>`encode(hash, 'hex')`;
const LINE = sql<string>`json_build_array(
  api_keys.id, tenant, user_id, person, roles, floor(extract(epoch FROM expires_at) * 1000))::text`;

const DETAILS = [
  'id',
  'name',
  'tenant',
  'user_id',
  'person',
  'roles',
  'created_at',
  'created_by',
  'expires_at',
  'revoked_at',
] as const;

/** Hands over every key that was not revoked, in short turns of the event loop. */
export async function eachLiveKey(
  transaction: DatabaseTransaction,
  take: (key: HeldKeyRow) => void,
  streaming: Streaming,
): Promise<void> {
  const keys = sql<HeldKeyRow>`
    SELECT api_keys.id, ${HASH} AS hash, ${LINE} AS line FROM api_keys WHERE revoked_at IS NULL`;
  await streamRows(transaction, keys, take, streaming);
}

/** A change of a key that the log tells of, and the key as it is now: `live` undefined where it is not. */
export interface ChangedKey {
  readonly id: string;
  readonly live: Pick<HeldKeyRow, 'hash' | 'line'> | undefined;
}

/** What became of the keys after a place in the change log. */
export interface KeyChanges {
  readonly changed: readonly ChangedKey[];
  /** The newest place of the log. */
  readonly place: LogPlace;
}

/**
 * The changes of keys after a place in the log, oldest first, all out of one statement. Undefined where they
 * are more than `limit`, where the log does not name a key, and where it does not lead on from there: the
 * database was set back.
 */
export async function keysChangedAfter(
  database: Database,
  place: LogPlace,
  limit: number,
): Promise<KeyChanges | undefined> {
  const { rows } = await sql<{
    revision: string;
    at: string;
    isKey: boolean;
    id: string | null;
    hash: string | null;
    line: string | null;
  }>`
    SELECT told.revision, told.at, told."isKey", told.id, ${HASH} AS hash, ${LINE} AS line
    FROM (
      SELECT revision, extract(epoch FROM at)::text AS at, kind LIKE 'key.%' AS "isKey",
             detail->>'key' AS id
      FROM change_log
      WHERE revision >= ${place.revision} AND (
        kind LIKE 'key.%' OR revision = ${place.revision}
        OR revision = (SELECT max(revision) FROM change_log)
      )
      ORDER BY revision LIMIT ${limit + 2}
    ) AS told LEFT JOIN api_keys
      ON told."isKey" AND api_keys.id = told.id AND revoked_at IS NULL
    ORDER BY told.revision`.execute(database);
  const places = rows.map(({ revision, at }): LogPlace => ({ revision: Number(revision), at }));
  const isAtStart = place.revision === LOG_START.revision;
  if (!isAtStart && !isSamePlace(places[0], place)) return undefined;
  const changed: ChangedKey[] = [];
  for (const { isKey, id, hash, line } of rows) {
    if (!isKey) continue;
    if (id === null) return undefined;
    changed.push({ id, live: hash === null || line === null ? undefined : { hash, line } });
  }
  // With the place and the newest, all rows are here unless there are more changes than that.
  return changed.length > limit ? undefined : { changed, place: places.at(-1) ?? LOG_START };
}

/** Adds a key; the time of making is the database's. */
export async function insertKey(
  transaction: DatabaseTransaction,
  key: Omit<KeyRow, 'created_at' | 'revoked_at'>,
): Promise<KeyDetails> {
  return transaction
    .withTables<Tables>()
    .insertInto('api_keys')
    .values({ ...key, created_at: sql<Date>`clock_timestamp()`, revoked_at: null })
    .returning(DETAILS)
    .executeTakeFirstOrThrow();
}

/** One key, also where it was revoked. Without a lock: keys are changed under the revision's. */
export async function findKey(
  database: Database | DatabaseTransaction,
  id: string,
): Promise<KeyDetails | undefined> {
  return database
    .withTables<Tables>()
    .selectFrom('api_keys')
    .select(DETAILS)
    .where('id', '=', id)
    .executeTakeFirst();
}

/** The keys that were not revoked, of one tenant or all, by id, at most `limit` after `after`. */
export async function listKeys(
  database: Database,
  {
    tenant,
    after,
    limit,
  }: { tenant: string | undefined; after: string | undefined; limit: number },
): Promise<KeyDetails[]> {
  let query = database
    .withTables<Tables>()
    .selectFrom('api_keys')
    .select(DETAILS)
    .where('revoked_at', 'is', null)
    .orderBy('id')
    .limit(limit);
  if (tenant !== undefined) query = query.where('tenant', '=', tenant);
  if (after !== undefined) query = query.where('id', '>', after);
  return query.execute();
}

/** Ends a key, now. */
export async function revokeKey(transaction: DatabaseTransaction, id: string): Promise<void> {
  await transaction
    .withTables<Tables>()
    .updateTable('api_keys')
    .set({ revoked_at: sql<Date>`clock_timestamp()` })
    .where('id', '=', id)
    .where('revoked_at', 'is', null)
    .execute();
}

/** The id of the key with this hash, whatever became of it. */
export async function keyIdOf(
  transaction: DatabaseTransaction,
  hash: Buffer,
): Promise<string | undefined> {
  const row = await transaction
    .withTables<Tables>()
    .selectFrom('api_keys')
    .select('id')
    .where('hash', '=', hash)
    .executeTakeFirst();
  return row?.id;
}

/** Puts the root key in the place of the former one, if there was any. */
export async function replaceRootKey(
  transaction: DatabaseTransaction,
  key: Omit<KeyRow, 'created_at' | 'revoked_at'>,
): Promise<void> {
  await transaction
    .withTables<Tables>()
    .deleteFrom('api_keys')
    .where('id', '=', ROOT_KEY_ID)
    .execute();
  await insertKey(transaction, key);
}
