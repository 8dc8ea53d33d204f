import type { Check, RuleLine } from '../../src/vocabulary.js';
import type { Workload } from '../workloads.js';

/**
 * The rules of `models/rbac-tenant.conf` as one writes them for Cerbos: a resource policy for each
 * kind of resource, a scope of it for each tenant, a rule for each role. A pattern `area/*` becomes a
 * condition on the resource's id, a resource group the list of its members. Cerbos keeps no roles of
 * users: whoever asks sends them along, as the application that knows them would.
 */
export interface CerbosPolicy {
  /** Policy files, by name. */
  readonly files: ReadonlyMap<string, string>;
  /** The body of `POST /api/check/resources` that asks a check. */
  body(check: Check): object;
}

interface PolicyRule {
  readonly actions: readonly string[];
  readonly effect: string;
  readonly roles: readonly string[];
  readonly condition: { readonly match: { readonly expr: string } };
}

/** Translates the rules of an RBAC workload. */
export function cerbosPolicy({ rules }: Workload): CerbosPolicy {
  const roles = relation(rules, 'g');
  const members = inverse(relation(rules, 'g2'));
  const policies = new Map<string, PolicyRule[]>();
  for (const [ptype, role = '', tenant = '', object = '', action = '', effect] of rules) {
    if (ptype !== 'p') continue;
    const objects = members.get(placed(tenant, object)) ?? [object];
    for (const { kind, expr } of objects.map(conditionOn)) {
      const place = placed(tenant, kind);
      const policy = policies.get(place) ?? [];
      policies.set(place, policy);
      policy.push({
        actions: [action],
        effect: effect === 'deny' ? 'EFFECT_DENY' : 'EFFECT_ALLOW',
        roles: [role],
        condition: { match: { expr } },
      });
    }
  }
  return {
    files: filesOf(policies),
    body: (check) => ({
      requestId: 'bench',
      principal: {
        id: check.subject.id,
        roles: closure(roles, check.tenant, check.subject.id),
      },
      resources: [
        {
          actions: [check.action.name],
          resource: { kind: check.resource.type, id: check.resource.id, scope: check.tenant },
        },
      ],
    }),
  };
}

/** What `g` or `g2` says: the right-hand sides by tenant and left-hand side. */
function relation(rules: readonly RuleLine[], type: string): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const [ptype, left = '', right = '', tenant = ''] of rules) {
    if (ptype === type) push(found, placed(tenant, left), right);
  }
  return found;
}

function inverse(related: ReadonlyMap<string, readonly string[]>): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const [place, rights] of related) {
    const [tenant = '', left = ''] = place.split(' ');
    for (const right of rights) push(found, placed(tenant, right), left);
  }
  return found;
}

function closure(
  roles: ReadonlyMap<string, readonly string[]>,
  tenant: string,
  subject: string,
): string[] {
  const found = new Set(roles.get(placed(tenant, subject)));
  // Grows while it is gone through: inherited roles of inherited roles are found too.
  for (const role of found) {
    for (const inherited of roles.get(placed(tenant, role)) ?? []) found.add(inherited);
  }
  return [...found];
}

function conditionOn(object: string): { kind: string; expr: string } {
  const [kind = '', id = ''] = object.split(':');
  const expr = id.endsWith('*')
    ? `R.id.startsWith(${JSON.stringify(id.slice(0, -1))})`
    : `R.id == ${JSON.stringify(id)}`;
  return { kind, expr };
}

function filesOf(policies: ReadonlyMap<string, readonly PolicyRule[]>): Map<string, string> {
  const files = new Map<string, string>();
  for (const [place, rules] of policies) {
    const [tenant = '', kind = ''] = place.split(' ');
    // A scope needs the policy that it narrows.
    files.set(`${kind}.json`, policyFile({ resource: kind }));
    files.set(`${kind}.${tenant}.json`, policyFile({ resource: kind, scope: tenant, rules }));
  }
  return files;
}

function policyFile(policy: object): string {
  return JSON.stringify({
    apiVersion: 'api.cerbos.dev/v1',
    resourcePolicy: { version: 'default', ...policy },
  });
}

function placed(tenant: string, name: string): string {
  return `${tenant} ${name}`;
}

function push(map: Map<string, string[]>, key: string, value: string): void {
  const values = map.get(key);
  if (values === undefined) map.set(key, [value]);
  else values.push(value);
}
