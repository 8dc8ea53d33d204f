import { type Selectable, sql } from 'kysely';
import type { Database, DatabaseTransaction } from '../platform/database.js';

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

/** What a request is answered by. */
export type LiveKeyRow = Pick<
  KeyRow,
  'id' | 'hash' | 'tenant' | 'user_id' | 'person' | 'roles' | 'expires_at'
>;

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

/** Every key that was not revoked. */
export async function liveKeys(database: Database | DatabaseTransaction): Promise<LiveKeyRow[]> {
  return database
    .withTables<Tables>()
    .selectFrom('api_keys')
    .select(['id', 'hash', 'tenant', 'user_id', 'person', 'roles', 'expires_at'])
    .where('revoked_at', 'is', null)
    .execute();
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
