import type { KeyDetails } from './key-store.js';

/** A key as the API shows it: never its secret nor the hash of it. Times in ISO 8601. */
export interface KeyView {
  readonly id: string;
  readonly name: string;
  readonly tenant?: string;
  readonly user?: string;
  /** Who counts once when the key approves. */
  readonly person: string;
  readonly roles: readonly string[];
  readonly created_at: string;
  /** The caller that made it. */
  readonly created_by: string;
  readonly expires_at?: string;
}

/** The answer to making a key: the only time that anybody sees `key`. */
export interface MadeKey extends KeyView {
  readonly key: string;
  /** From which revision on the key counts. */
  readonly revision: number;
}

/** A stored key as the API shows it. */
export function viewOfKey(key: KeyDetails): KeyView {
  return {
    id: key.id,
    name: key.name,
    ...(key.tenant === null ? {} : { tenant: key.tenant }),
    ...(key.user_id === null ? {} : { user: key.user_id }),
    person: key.person,
    roles: key.roles,
    created_at: key.created_at.toISOString(),
    created_by: key.created_by,
    ...(key.expires_at === null ? {} : { expires_at: key.expires_at.toISOString() }),
  };
}
