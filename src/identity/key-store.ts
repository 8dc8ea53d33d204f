import { type Selectable, sql } from 'kysely';
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
  expiresAt: number | null,
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

/** A key that was changed: as it is now, `live` undefined where it is live no more. */
export interface ChangedKey {
  readonly id: string;
  readonly live: Pick<HeldKeyRow, 'hash' | 'line'> | undefined;
  /** Of the newest change of it. */
  readonly revision: number;
}

/**
 * The keys that were changed after a revision; undefined where those are more than `limit`, or the log
 * does not name them all.
 */
export async function keysChangedAfter(
  database: Database,
  revision: number,
  limit: number,
): Promise<readonly ChangedKey[] | undefined> {
  const { rows } = await sql<{
    id: string | null;
    revision: string;
    hash: string | null;
    line: string | null;
  }>`
    SELECT changed.id, changed.revision, ${HASH} AS hash, ${LINE} AS line
    FROM (
      SELECT detail->>'key' AS id, max(revision) AS revision FROM change_log
      WHERE revision > ${revision} AND kind LIKE 'key.%'
      GROUP BY detail->>'key' LIMIT ${limit + 1}
    ) AS changed LEFT JOIN api_keys ON api_keys.id = changed.id AND revoked_at IS NULL`.execute(
    database,
  );
  if (rows.length > limit) return undefined;
  const changed: ChangedKey[] = [];
  for (const { id, revision, hash, line } of rows) {
    if (id === null) return undefined;
    const live = hash === null || line === null ? undefined : { hash, line };
    changed.push({ id, revision: Number(revision), live });
  }
  return changed;
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
