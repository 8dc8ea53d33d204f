import { Forbidden } from '../errors.js';
import type { Caller } from './caller.js';
import { permissionsOf, type Reach } from './system-policy.js';
import type { Permission, SystemRole } from './system-roles.js';

/**
 * Whether a caller may do something in a tenant. `tenant` undefined means everywhere: what is about
 * the whole installation, or about all tenants at once; no credential of a tenant may do that.
 *
 * @example permits(caller, 'rules:write', 'acme')
 */
export function permits(
  caller: Pick<Caller, 'tenant' | 'systemRoles'>,
  permission: Permission,
  tenant: string | undefined,
): boolean {
  const reach = reachOf(caller.tenant, tenant);
  return permissionsOfAll(caller.systemRoles, reach).has(permission);
}

/** By the roles of a credential, which are frozen with it: what they permit together. */
const together = new WeakMap<readonly SystemRole[], Map<Reach, ReadonlySet<Permission>>>();

function permissionsOfAll(roles: readonly SystemRole[], reach: Reach): ReadonlySet<Permission> {
  const known = together.get(roles)?.get(reach);
  if (known !== undefined) return known;
  const permissions = new Set(roles.flatMap((role) => [...permissionsOf(role, reach)]));
  if (Object.isFrozen(roles)) {
    const byReach = together.get(roles) ?? new Map<Reach, ReadonlySet<Permission>>();
    together.set(roles, byReach.set(reach, permissions));
  }
  return permissions;
}

/** Throws `Forbidden` unless the caller may do it there; `tenant` as for `permits`. */
export function requirePermission(
  caller: Pick<Caller, 'tenant' | 'systemRoles'>,
  permission: Permission,
  tenant: string | undefined,
): void {
  if (permits(caller, permission, tenant)) return;
  if (tenant !== undefined && caller.tenant !== undefined && caller.tenant !== tenant) {
    throw new Forbidden(`this credential may not be used in the tenant \`${tenant}\``);
  }
  const where = tenant === undefined ? 'without a tenant' : `in the tenant \`${tenant}\``;
  throw new Forbidden(`this credential does not have the permission \`${permission}\` ${where}`);
}

/** The tenants that a credential reaches: its own, or undefined for all of them. */
export function tenantsOf(caller: Pick<Caller, 'tenant'>): readonly string[] | undefined {
  return caller.tenant === undefined ? undefined : [caller.tenant];
}

/**
 * The roles among `roles` that the caller may not give to a credential that is bound to `tenant`
 * (undefined: to none), because they can do something there that the caller cannot.
 */
export function rolesBeyond(
  caller: Pick<Caller, 'tenant' | 'systemRoles'>,
  roles: readonly SystemRole[],
  tenant: string | undefined,
): readonly SystemRole[] {
  const reach: Reach = tenant === undefined ? 'all' : 'own';
  return roles.filter((role) =>
    [...permissionsOf(role, reach)].some((permission) => !permits(caller, permission, tenant)),
  );
}

function reachOf(own: string | undefined, asked: string | undefined): Reach {
  if (own === undefined) return 'all';
  return own === asked ? 'own' : 'none';
}
