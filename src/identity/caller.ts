import type { SystemRole } from './system-roles.js';

/**
 * Who holds the credential of a call: a service, a person or a tool. Not to be mixed up with the
 * subject of a check, which a caller asks about.
 */
export interface Caller {
  /** Names the credential in logs and audit: `root` or `key:<id>`. */
  readonly id: string;
  /** The tenant that the credential is bound to; undefined where it reaches all. */
  readonly tenant: string | undefined;
  /** The user whose credential it is, where it is a user's. */
  readonly user: string | undefined;
  /**
   * Who counts once in an approval: `user:<id>` for a credential of a user; for a key without one,
   * the person of its maker; for a key made with the root key, `key:<id>`.
   */
  readonly person: string;
  readonly systemRoles: readonly SystemRole[];
}

/** Who did it, as the audit and the history tell: the user, where the credential is a user's. */
export function actorOf({ id, user }: Caller): string {
  return user === undefined ? id : `user:${user}`;
}
