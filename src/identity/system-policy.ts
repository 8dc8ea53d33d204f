import { readFileSync } from 'node:fs';
import type { Engine } from '../engine/engine.js';
import { parseModel } from '../engine/model.js';
import { createEngine } from '../engine/create-engine.js';
import type { RuleLine } from '../vocabulary.js';
import { PERMISSIONS, type Permission, type SystemRole } from './system-roles.js';

/**
 * How far a credential reaches in a call. `all`: it is bound to no tenant; `own`: it is bound to the
 * tenant of the call; `none`: it is bound to another, or the call is about no single tenant.
 */
export type Reach = 'all' | 'own' | 'none';

const MODEL = new URL('../../models/system.conf', import.meta.url);

/**
 * What its own admin can do in a tenant; bundles are about the whole installation. So are metrics,
 * but they tell of no tenant: whoever watches one may read them.
 */
const IN_A_TENANT = [
  'rules:*',
  'keys:*',
  'directory:*',
  'permissions:read',
  'tokens:issue',
  'approvals:*',
  'audit:read',
  'check',
  'check:dry_run',
  'metrics:read',
];

/** What whoever looks after a tenant reads. */
const READING = ['rules:read', 'directory:read', 'permissions:read', 'approvals:read'];

/**
 * What each role may do: in the tenant of its credential and, without one, everywhere (`own`), or
 * only without one (`all`). An approver needs no permission: the approvals that are for it, and those
 * that it asked for, are its to see whatever else it may do. In a tenant too, a platform admin can do
 * more than the tenant's: the tenant's could otherwise give that role, and approve in its name.
 */
const MAY: Readonly<Record<SystemRole, Partial<Record<'own' | 'all', readonly string[]>>>> = {
  platform_admin: {
    own: [...IN_A_TENANT, 'bundles:read', 'bundles:validate'],
    all: ['*'],
  },
  policy_author: { all: ['bundles:*', 'rules:read', 'check:dry_run'] },
  tenant_admin: { own: IN_A_TENANT },
  tenant_operator: { own: [...READING, 'approvals:open', 'check', 'check:dry_run'] },
  approver: {},
  auditor: { own: [...READING, 'audit:read', 'metrics:read'] },
  service: { own: ['check', 'check:dry_run', 'approvals:open', 'permissions:read'] },
  token_issuer: { own: ['tokens:issue'] },
  monitor: { own: ['metrics:read'] },
};

/** The rules of the built-in model. */
export const SYSTEM_RULES: readonly RuleLine[] = Object.entries(MAY).flatMap(([role, reaches]) =>
  Object.entries(reaches).flatMap(([reach, permissions]) =>
    permissions.map((permission): RuleLine => ['p', role, reach, permission]),
  ),
);

/** The engine over `models/system.conf` and its rules: a role is the subject, a reach the tenant. */
export function createSystemEngine(): Engine {
  const parsed = parseModel(readFileSync(MODEL, 'utf8'));
  if ('faults' in parsed) {
    const faults = parsed.faults.map(
      ({ line, column, message }) => `${line}:${column}: ${message}`,
    );
    throw new Error(`models/system.conf: ${faults.join('; ')}`);
  }
  return createEngine(parsed.model, SYSTEM_RULES);
}

let engine: Engine | undefined;
const decided = new Map<string, ReadonlySet<Permission>>();

/**
 * The permissions that a role gives where a credential reaches so far. The engine is asked once for
 * each role and reach; its answers never change while the process runs.
 */
export function permissionsOf(role: SystemRole, reach: Reach): ReadonlySet<Permission> {
  const key = `${role} ${reach}`;
  const known = decided.get(key);
  if (known !== undefined) return known;
  engine ??= createSystemEngine();
  const allowed = PERMISSIONS.filter((permission) => allows(engine, role, reach, permission));
  const permissions: ReadonlySet<Permission> = new Set(allowed);
  decided.set(key, permissions);
  return permissions;
}

function allows(
  engine: Engine | undefined,
  role: SystemRole,
  reach: Reach,
  permission: Permission,
): boolean {
  const answer = engine?.decide({
    tenant: reach,
    subject: { type: 'user', id: role, properties: {} },
    action: { name: permission, properties: {} },
    resource: { type: 'api', id: permission, properties: {} },
    context: {},
  });
  return answer?.effect === 'allow';
}
