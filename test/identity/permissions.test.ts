import assert from 'node:assert/strict';
import { parseModel } from '../../src/engine/model.js';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { Forbidden } from '../../src/errors.js';
import {
  permits,
  requirePermission,
  rolesBeyond,
  tenantsOf,
} from '../../src/identity/permissions.js';
import {
  createSystemEngine,
  permissionsOf,
  SYSTEM_RULES,
} from '../../src/identity/system-policy.js';
import {
  PERMISSIONS,
  type Permission,
  SYSTEM_ROLES,
  type SystemRole,
} from '../../src/identity/system-roles.js';

/** The table of the documentation, written out: what each role may do in the tenant of its key. */
const IN_TENANT: Record<SystemRole, Permission[]> = {
  platform_admin: PERMISSIONS.filter((p) => p !== 'bundles:apply' && p !== 'bundles:activate'),
  policy_author: [],
  tenant_admin: PERMISSIONS.filter((p) => !p.startsWith('bundles:')),
  tenant_operator: [
    'check',
    'check:dry_run',
    'rules:read',
    'approvals:read',
    'approvals:open',
    'directory:read',
    'permissions:read',
  ],
  approver: [],
  auditor: [
    'rules:read',
    'approvals:read',
    'audit:read',
    'directory:read',
    'permissions:read',
    'metrics:read',
  ],
  service: ['check', 'check:dry_run', 'approvals:open', 'permissions:read'],
  token_issuer: ['tokens:issue'],
  monitor: ['metrics:read'],
};

/** What a key without a tenant may do besides, there and everywhere. */
const WITHOUT_TENANT: Partial<Record<SystemRole, Permission[]>> = {
  platform_admin: [...PERMISSIONS],
  policy_author: [
    'check:dry_run',
    'bundles:read',
    'bundles:validate',
    'bundles:apply',
    'bundles:activate',
    'rules:read',
  ],
};

function caller(tenant: string | undefined, ...systemRoles: SystemRole[]) {
  return { tenant, systemRoles };
}

function granted(tenant: string | undefined, role: SystemRole, at: string | undefined) {
  return PERMISSIONS.filter((permission) => permits(caller(tenant, role), permission, at));
}

describe('permissions', () => {
  for (const role of SYSTEM_ROLES) {
    it(`of ${role} are those of the documentation`, () => {
      const inTenant = new Set(IN_TENANT[role]);
      const anywhere = new Set([...inTenant, ...(WITHOUT_TENANT[role] ?? [])]);
      assert.deepEqual(new Set(granted('acme', role, 'acme')), inTenant);
      assert.deepEqual(new Set(granted(undefined, role, 'acme')), anywhere);
      assert.deepEqual(new Set(granted(undefined, role, undefined)), anywhere);
    });

    it(`of ${role} end at the tenant of the credential`, () => {
      assert.deepEqual(granted('acme', role, 'globex'), []);
      assert.deepEqual(granted('acme', role, undefined), []);
      assert.deepEqual(granted('acme', role, ''), []);
    });
  }

  it('are what the engine says over the built-in model, for every question there is', () => {
    const engine = createSystemEngine();
    for (const role of SYSTEM_ROLES) {
      for (const reach of ['all', 'own', 'none'] as const) {
        for (const permission of PERMISSIONS) {
          const answer = engine.decide({
            tenant: reach,
            subject: { type: 'user', id: role, properties: {} },
            action: { name: permission, properties: {} },
            resource: { type: 'any', id: 'thing', properties: {} },
            context: {},
          });
          assert.equal(
            permissionsOf(role, reach).has(permission),
            answer.effect === 'allow',
            `${role} ${reach} ${permission}`,
          );
        }
      }
    }
  });

  it('are rules that the built-in model takes, each naming roles and permissions that exist', () => {
    const parsed = parseModel(readFileSync('models/system.conf', 'utf8'));
    assert.ok('model' in parsed);
    for (const rule of SYSTEM_RULES) {
      assert.equal(parsed.model.faultOf(rule), undefined);
      const [, role, reach, pattern = ''] = rule;
      assert.ok(
        SYSTEM_ROLES.some((name) => name === role),
        role,
      );
      assert.ok(reach === 'own' || reach === 'all', reach);
      const meant = PERMISSIONS.filter((permission) =>
        pattern.endsWith('*')
          ? permission.startsWith(pattern.slice(0, -1))
          : permission === pattern,
      );
      assert.ok(meant.length > 0, `${pattern} means no permission`);
    }
  });

  it('of several roles are those of any of them', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.constantFrom(...SYSTEM_ROLES)),
        fc.constantFrom(...PERMISSIONS),
        fc.constantFrom(undefined, 'acme', 'globex'),
        fc.constantFrom(undefined, 'acme', 'globex'),
        (roles, permission, bound, asked) => {
          assert.equal(
            permits(caller(bound, ...roles), permission, asked),
            roles.some((role) => permits(caller(bound, role), permission, asked)),
          );
        },
      ),
    );
  });

  it('are never more with a tenant than without', () => {
    for (const role of SYSTEM_ROLES) {
      const all = new Set(granted(undefined, role, 'acme'));
      assert.ok(granted('acme', role, 'acme').every((permission) => all.has(permission)));
    }
  });

  it('are demanded with a message that names the permission and the tenant', () => {
    const monitor = caller('acme', 'monitor');
    assert.throws(() => requirePermission(monitor, 'rules:write', 'acme'), {
      name: 'Forbidden',
      message: 'this credential does not have the permission `rules:write` in the tenant `acme`',
    });
    assert.throws(() => requirePermission(monitor, 'rules:write', 'globex'), {
      name: 'Forbidden',
      message: 'this credential may not be used in the tenant `globex`',
    });
    assert.throws(() => requirePermission(monitor, 'bundles:apply', undefined), Forbidden);
    requirePermission(caller('acme', 'tenant_admin'), 'rules:write', 'acme');
  });

  it('reach the tenant of the credential, or all', () => {
    assert.deepEqual(tenantsOf({ tenant: 'acme' }), ['acme']);
    assert.equal(tenantsOf({ tenant: undefined }), undefined);
  });
});

describe('giving roles', () => {
  const TENANTS = [undefined, 'acme'] as const;

  it('never gives, over all pairs of roles, what the giver does not have', () => {
    for (const giver of SYSTEM_ROLES) {
      for (const given of SYSTEM_ROLES) {
        for (const bound of TENANTS) {
          for (const target of [...TENANTS, 'globex']) {
            const maker = caller(bound, giver);
            if (rolesBeyond(maker, [given], target).length > 0) continue;
            const made = caller(target, given);
            for (const permission of PERMISSIONS) {
              for (const at of [undefined, 'acme', 'globex']) {
                if (!permits(made, permission, at)) continue;
                assert.ok(
                  permits(maker, permission, at),
                  `${giver} of ${bound} gave ${given} of ${target}: ${permission} at ${at}`,
                );
              }
            }
          }
        }
      }
    }
  });

  it('lets everybody give what they are', () => {
    for (const role of SYSTEM_ROLES) {
      for (const tenant of TENANTS) {
        assert.deepEqual(rolesBeyond(caller(tenant, role), [role], tenant), []);
      }
    }
  });

  it('names every role that is too much', () => {
    const admin = caller('acme', 'tenant_admin');
    const inTenant: SystemRole[] = [
      'tenant_admin',
      'tenant_operator',
      'auditor',
      'monitor',
      'service',
    ];
    assert.deepEqual(rolesBeyond(admin, [...inTenant, 'approver', 'token_issuer'], 'acme'), []);
    assert.deepEqual(rolesBeyond(admin, [...SYSTEM_ROLES], 'acme'), ['platform_admin']);
    assert.deepEqual(
      rolesBeyond(caller('acme', 'service'), ['service', 'auditor', 'tenant_admin'], 'acme'),
      ['auditor', 'tenant_admin'],
    );
    assert.deepEqual(rolesBeyond(caller(undefined, 'tenant_admin'), [...SYSTEM_ROLES], undefined), [
      'platform_admin',
      'policy_author',
    ]);
  });
});
