import type { Caller } from '../identity/caller.js';
import { requirePermission } from '../identity/permissions.js';
import type { Permission } from '../identity/system-roles.js';

/**
 * The tenant that a call is about: the one it names, else the credential's own; undefined where
 * neither is, which means all of them. Throws `Forbidden` where the credential may not do it there.
 */
export function reachOf(
  caller: Caller,
  permission: Permission,
  named: string | undefined,
): string | undefined {
  const tenant = named ?? caller.tenant;
  requirePermission(caller, permission, tenant);
  return tenant;
}
