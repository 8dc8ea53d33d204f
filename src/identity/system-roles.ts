/** The roles that a credential can carry, contract and docs/operations.md say what each may. */
export const SYSTEM_ROLES = [
  'platform_admin',
  'policy_author',
  'tenant_admin',
  'tenant_operator',
  'approver',
  'auditor',
  'service',
  'token_issuer',
  'monitor',
] as const;
export type SystemRole = (typeof SYSTEM_ROLES)[number];

/** What a credential may be asked for. Platform permissions have no tenant. */
export const PERMISSIONS = [
  'check',
  'check:dry_run',
  'bundles:read',
  'bundles:validate',
  'bundles:apply',
  'bundles:activate',
  'rules:read',
  'rules:write',
  'keys:read',
  'keys:write',
  'approvals:read',
  'approvals:open',
  'approvals:cancel',
  'approvals:revoke',
  'audit:read',
  'metrics:read',
  'directory:read',
  'directory:write',
  'permissions:read',
  'tokens:issue',
] as const;
export type Permission = (typeof PERMISSIONS)[number];

const ROLES: ReadonlySet<string> = new Set(SYSTEM_ROLES);

/** Whether `name` is the name of a system role. */
export function isSystemRole(name: string): name is SystemRole {
  return ROLES.has(name);
}
