import { LRUCache } from 'lru-cache';
import { LOG_START, type LogPlace, newestPlace } from '../platform/change-tail.js';
import type { Database } from '../platform/database.js';
import { takeTurns } from '../platform/turns.js';
import type { Caller } from './caller.js';
import {
  eachLiveKey,
  type HeldKey,
  type HeldKeyRow,
  type KeyChanges,
  keysChangedAfter,
  ROOT_KEY_ID,
} from './key-store.js';
import { isSystemRole } from './system-roles.js';

/** A key that has not been revoked, as requests are answered by it. */
export interface StoredKey {
  /** Who calls with it. */
  readonly caller: Caller;
  /** Milliseconds since the epoch from which it is no longer good; undefined: never. */
  readonly expiresAt: number | undefined;
}

/** The keys that were not revoked, found by what they are stored as. */
export interface KeyRing {
  /** By the SHA-256 of the key, in lower-case hex. Keys that have expired are still found. */
  find(hash: string): StoredKey | undefined;
  /** Whether the caller's key is among them still, and good at `now` (milliseconds). */
  holds(caller: Caller, now: number): boolean;
}

/** A ring without keys: nobody is anybody. */
export const emptyKeyRing: KeyRing = Object.freeze({ find: () => undefined, holds: () => false });

/** Keys that are remembered as their callers came with them, at most. */
const MAX_REMEMBERED = 10_000;

/** Changed keys that are taken one by one; of more, all are read anew. */
const MAX_CHANGED = 1_000;

/** What the key of a caller is stored as. By its id alone a former root key would pass for the new one. */
const hashOf = new WeakMap<Caller, string>();

/**
 * All live keys of an installation, as few bytes of each as will do: a server must know every key to
 * answer while Postgres is away, and few of them are used. Who calls with one is made of that the first
 * time, and remembered until the key changes. Expiry is looked at each time, by whoever asks.
 */
export class LiveKeys implements KeyRing {
  /** The lines by hash, and the hashes by id. */
  readonly #lines = new Map<string, string>();
  readonly #hashes = new Map<string, string>();
  readonly #remembered = new LRUCache<string, StoredKey>({ max: MAX_REMEMBERED });
  #place: LogPlace;

  /** Empty, as of a place in the change log. */
  constructor(place: LogPlace = LOG_START) {
    this.#place = place;
  }

  /** The place in the change log up to which all changes of keys are in it for certain. */
  get place(): LogPlace {
    return this.#place;
  }

  get size(): number {
    return this.#hashes.size;
  }

  /** How many are remembered. */
  get remembered(): number {
    return this.#remembered.size;
  }

  find(hash: string): StoredKey | undefined {
    const known = this.#remembered.get(hash);
    if (known !== undefined) return known;
    const line = this.#lines.get(hash);
    if (line === undefined) return undefined;
    const key = storedKey(JSON.parse(line) as HeldKey);
    hashOf.set(key.caller, hash);
    this.#remembered.set(hash, key);
    return key;
  }

  holds(caller: Caller, now: number): boolean {
    const hash = hashOf.get(caller);
    const key = hash === undefined ? undefined : this.find(hash);
    return key !== undefined && isGood(key, now);
  }

  /** Takes a key that is not in it. */
  add({ id, hash, line }: HeldKeyRow): void {
    this.#lines.set(hash, line);
    this.#hashes.set(id, hash);
  }

  /** Notes that no key has changed up to a place in the change log. */
  reach({ revision, at }: LogPlace): void {
    this.#place = { revision, at };
  }

  /** Takes changes, all in this turn. */
  take({ changed, place }: KeyChanges): void {
    // By their ids: the root key has another hash when it is replaced.
    for (const { id } of changed) this.#remove(id);
    for (const { id, live } of changed) if (live !== undefined) this.add({ id, ...live });
    this.#place = place;
  }

  #remove(id: string): void {
    const hash = this.#hashes.get(id);
    if (hash === undefined) return;
    this.#hashes.delete(id);
    this.#lines.delete(hash);
    this.#remembered.delete(hash);
  }
}

/** Whether a key is good at `now` (milliseconds), as far as time goes. */
export function isGood({ expiresAt }: StoredKey, now: number): boolean {
  return expiresAt === undefined || now < expiresAt;
}

/** Reads all keys that were not revoked, in short turns of the event loop. */
export async function loadKeys(database: Database, signal?: AbortSignal): Promise<LiveKeys> {
  return database.transaction().execute(async (transaction) => {
    // First: what is committed meanwhile is in it or comes after.
    const keys = new LiveKeys(await newestPlace(transaction));
    await eachLiveKey(transaction, (key) => keys.add(key), { turns: takeTurns(), signal });
    return keys;
  });
}

/**
 * The keys as they are now: the same object, with what changed since; another, read anew, where that is much
 * or the log does not tell.
 */
export async function followKeys(
  database: Database,
  keys: LiveKeys,
  signal?: AbortSignal,
): Promise<LiveKeys> {
  const changes = await keysChangedAfter(database, keys.place, MAX_CHANGED);
  if (changes === undefined) return loadKeys(database, signal);
  keys.take(changes);
  return keys;
}

function storedKey([id, tenant, user, person, roles, expiresAt]: HeldKey): StoredKey {
  const caller: Caller = {
    id: callerId(id),
    tenant: tenant ?? undefined,
    user: user ?? undefined,
    person,
    // A role of a later version, left behind by a rollback, gives nothing.
    systemRoles: Object.freeze(roles.filter(isSystemRole)),
  };
  return Object.freeze({
    caller: Object.freeze(caller),
    // As a number: JSON has the ends of time, `infinity` in Postgres, as text.
    expiresAt: expiresAt === null ? undefined : Number(expiresAt),
  });
}

/** What a caller with the key of this id is called. */
function callerId(id: string): string {
  return id === ROOT_KEY_ID ? id : `key:${id}`;
}
