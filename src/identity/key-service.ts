import { randomBytes } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import type { AuditRecorder } from '../audit/recorder.js';
import type { Engine } from '../engine/engine.js';
import { Conflict, Forbidden, InvalidRequest, NotFound } from '../errors.js';
import { commitChange } from '../platform/change-log.js';
import { type Clock, systemClock } from '../platform/clock.js';
import type { Database, DatabaseTransaction } from '../platform/database.js';
import { withinTime } from '../platform/later.js';
import { credentialHash } from './authenticate.js';
import type { Caller } from './caller.js';
import {
  findKey,
  insertKey,
  type KeyDetails,
  listKeys,
  revokeKey,
  ROOT_KEY_ID,
} from './key-store.js';
import { type KeyView, type MadeKey, viewOfKey } from './key-view.js';
import {
  expiryOfNewKey,
  type NewKey,
  personOfNewKey,
  refuseRoleName,
  refuseRoles,
  tenantOfNewKey,
} from './new-key.js';
import { type KeyChangeOrigin, recordKeyChange } from './record-key-change.js';
import { requirePermission, rolesBeyond } from './permissions.js';
import { isSystemRole } from './system-roles.js';

/** Which keys to list. */
export interface KeyFilter {
  readonly tenant?: string;
  /** The `next` of the page before. */
  readonly after?: string;
  /** 1 to 200; 50 unless given. */
  readonly limit?: number;
}

/** Makes, lists and ends API keys. Who may do it is decided here. */
export interface KeyService {
  /**
   * Throws `Forbidden` where the caller may not make keys there or cannot give a role, and
   * `InvalidRequest` for an expiry in the past or a user who is called like a role.
   */
  create(caller: Caller, key: NewKey, origin?: KeyChangeOrigin): Promise<MadeKey>;
  /** The keys that were not revoked, oldest first. Throws `Forbidden`, and `InvalidRequest` for bad paging. */
  list(
    caller: Caller,
    filter: KeyFilter,
  ): Promise<{ readonly items: readonly KeyView[]; readonly next: string | null }>;
  /**
   * Ends a key; ending it again changes nothing. Throws `NotFound` for a key that there is not, or
   * that is another tenant's, `Forbidden`, and `Conflict` for the root key.
   */
  revoke(
    caller: Caller,
    id: string,
    origin?: KeyChangeOrigin,
  ): Promise<{ readonly revision: number }>;
}

/** What a key service is made of. */
export interface KeyServiceOptions {
  readonly database: Database;
  readonly audit: Pick<AuditRecorder, 'write'>;
  /** The policy in force: it knows the roles, and it is told to read the keys again. */
  readonly current: {
    readonly snapshot: {
      readonly engine: Pick<Engine, 'isRole'>;
      readonly settings: { readonly rolesAsSubjects: boolean };
    };
    catchUp(): Promise<unknown>;
  };
  /** Told of the revision of each change as soon as it is committed; must not throw. */
  onCommit?(revision: number): void;
  /** The machine's own clock unless given. */
  readonly clock?: Clock;
}

/** What `next` of a list of keys can be: the id of a key. */
const PLACE = /^(?:root|key_[0-9a-f]{32})$/;
/** Milliseconds that what is committed waits to count here, before it is answered. */
const PATIENCE = 2_000;
const MAX_LIMIT = 200;
const USUAL_LIMIT = 50;

/** Makes the key service; one is enough. */
export function createKeyService(options: KeyServiceOptions): KeyService {
  return {
    create: (caller, key, origin = {}) => createKey(options, caller, key, origin),
    list: (caller, filter) => list(options, caller, filter),
    revoke: (caller, id, origin = {}) => revoke(options, caller, id, origin),
  };
}

/** A new API key: `csk_` and 256 random bits. */
function newSecret(): string {
  return `csk_${randomBytes(32).toString('base64url')}`;
}

async function createKey(
  options: KeyServiceOptions,
  caller: Caller,
  body: NewKey,
  origin: KeyChangeOrigin,
): Promise<MadeKey> {
  const { database, audit, current, clock = systemClock } = options;
  const tenant = tenantOfNewKey(caller, body.tenant);
  requirePermission(caller, 'keys:write', tenant);
  refuseRoles(caller, body.roles, tenant);
  refuseRoleName(body.user, tenant, current.snapshot);
  const expiry = expiryOfNewKey(body.expires_at, clock.now());
  const id = `key_${uuidv7().replaceAll('-', '')}`;
  const secret = newSecret();
  const { result, revision } = await commitChange(database, async (transaction, revision) => {
    const made = await insertKey(transaction, {
      id,
      hash: Buffer.from(credentialHash(secret), 'hex'),
      name: body.name,
      tenant: tenant ?? null,
      user_id: body.user ?? null,
      person: personOfNewKey(caller, id, body.user),
      roles: [...body.roles],
      created_by: caller.id,
      expires_at: expiry,
    });
    const change = await recordKeyChange(audit, transaction, made, {
      kind: 'key.created',
      revision,
      caller,
      origin,
    });
    return { change, result: made };
  });
  await counted(options, revision);
  return { ...viewOfKey(result), key: secret, revision };
}

async function list(
  { database }: KeyServiceOptions,
  caller: Caller,
  filter: KeyFilter,
): Promise<{ items: KeyView[]; next: string | null }> {
  const { after, limit = USUAL_LIMIT } = filter;
  refuseBadPaging(after, limit);
  const tenant = filter.tenant ?? caller.tenant;
  requirePermission(caller, 'keys:read', tenant);
  const keys = await listKeys(database, { tenant, after, limit: limit + 1 });
  const page = keys.slice(0, limit);
  return {
    items: page.map(viewOfKey),
    next: keys.length > limit ? (page.at(-1)?.id ?? null) : null,
  };
}

async function revoke(
  options: KeyServiceOptions,
  caller: Caller,
  id: string,
  origin: KeyChangeOrigin,
): Promise<{ revision: number }> {
  const { database, audit } = options;
  const { revision } = await commitChange<undefined>(database, async (transaction, revision) => {
    const key = await revocableKey(transaction, caller, id);
    if (key.revoked_at !== null) return { unchanged: undefined };
    await revokeKey(transaction, id);
    const change = await recordKeyChange(audit, transaction, key, {
      kind: 'key.revoked',
      revision,
      caller,
      origin,
    });
    return { change, result: undefined };
  });
  await counted(options, revision);
  return { revision };
}

/**
 * What is committed counts here before it is answered, elsewhere when the change arrives: so it does
 * here where the keys cannot be read in time.
 */
async function counted({ current, onCommit }: KeyServiceOptions, revision: number): Promise<void> {
  onCommit?.(revision);
  await withinTime(
    current.catchUp().catch(() => undefined),
    PATIENCE,
    undefined,
  );
}

async function revocableKey(
  transaction: DatabaseTransaction,
  caller: Caller,
  id: string,
): Promise<KeyDetails> {
  const key = isKeyId(id) ? await findKey(transaction, id) : undefined;
  if (key === undefined || (caller.tenant !== undefined && key.tenant !== caller.tenant)) {
    throw new NotFound(`there is no key \`${id}\``);
  }
  requirePermission(caller, 'keys:write', key.tenant ?? undefined);
  if (key.id === ROOT_KEY_ID) {
    throw new Conflict('the root key cannot be revoked; start with another `COUNTERSIGN_ROOT_KEY`');
  }
  // A tenant's admin may end whatever works in the tenant; over all tenants, only what it could give.
  if (key.tenant === null) refuseRolesOfOthers(caller, key);
  return key;
}

function refuseRolesOfOthers(caller: Caller, key: KeyDetails): void {
  const [beyond] = rolesBeyond(caller, key.roles.filter(isSystemRole), undefined);
  if (beyond === undefined) return;
  throw new Forbidden(`the key has the role \`${beyond}\`, which can do more than this credential`);
}

function refuseBadPaging(after: string | undefined, limit: number): void {
  const errors = [];
  if (after !== undefined && !PLACE.test(after)) {
    errors.push({ path: '/after', message: 'must be the `next` of the page before' });
  }
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT) {
    errors.push({ path: '/limit', message: `must be a whole number from 1 to ${MAX_LIMIT}` });
  }
  if (errors.length > 0) throw new InvalidRequest('the query is not valid', errors);
}

function isKeyId(text: string): boolean {
  return /^[a-z0-9_]{1,64}$/.test(text);
}
