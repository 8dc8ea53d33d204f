import type { Database, DatabaseTransaction } from '../platform/database.js';
import type { Caller } from './caller.js';
import { liveKeys, type LiveKeyRow, ROOT_KEY_ID } from './key-store.js';
import { isSystemRole } from './system-roles.js';

/** A key that has not been revoked, as requests are answered by it. */
export interface StoredKey {
  readonly id: string;
  /** Who calls with it. */
  readonly caller: Caller;
  /** Milliseconds since the epoch from which it is no longer good; undefined: never. */
  readonly expiresAt: number | undefined;
}

/** The keys of one revision, found by what they are stored as; never changed. */
export interface KeyRing {
  /** By the SHA-256 of the key, in lower-case hex. Keys that have expired are still found. */
  find(hash: string): StoredKey | undefined;
  /** Whether the caller's key is among them still, and good at `now` (milliseconds). */
  holds(caller: Caller, now: number): boolean;
}

/** A ring without keys: nobody is anybody. */
export const emptyKeyRing: KeyRing = Object.freeze({ find: () => undefined, holds: () => false });

/** Reads all keys that were not revoked, in one statement. */
export async function loadKeyRing(database: Database | DatabaseTransaction): Promise<KeyRing> {
  const keys = new Map<string, StoredKey>();
  const goodUntil = new Map<string, number>();
  for (const row of await liveKeys(database)) {
    const key = storedKey(row);
    keys.set(row.hash.toString('hex'), key);
    goodUntil.set(key.caller.id, key.expiresAt ?? Number.POSITIVE_INFINITY);
  }
  return Object.freeze({
    find: (hash: string) => keys.get(hash),
    holds: ({ id }: Caller, now: number) => now < (goodUntil.get(id) ?? Number.NEGATIVE_INFINITY),
  });
}

function storedKey(row: LiveKeyRow): StoredKey {
  const caller: Caller = {
    id: row.id === ROOT_KEY_ID ? row.id : `key:${row.id}`,
    tenant: row.tenant ?? undefined,
    user: row.user_id ?? undefined,
    person: row.person,
    // A role of a later version, left behind by a rollback, gives nothing.
    systemRoles: Object.freeze(row.roles.filter(isSystemRole)),
  };
  return Object.freeze({
    id: row.id,
    caller: Object.freeze(caller),
    expiresAt: row.expires_at?.getTime(),
  });
}
