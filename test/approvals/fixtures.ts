import type { Acting, PolicyInForce } from '../../src/approvals/approval-service.js';
import type { ApprovalQuestion } from '../../src/approvals/binding.js';
import type {
  ApprovalRequiredRule,
  ApprovalTerms,
  Condition,
  ConditionReferences,
} from '../../src/governance/governance-rule.js';
import type { Caller } from '../../src/identity/caller.js';
import type { Permission, SystemRole } from '../../src/identity/system-roles.js';
import { canonicalJson, sha256Hex } from '../../src/platform/json.js';
import type { Check, JsonValue } from '../../src/vocabulary.js';

export const HOUR = 3_600_000;
/** 2026-03-30T10:00:00Z. */
export const NOON = Date.UTC(2026, 2, 30, 10);

/** A clock that stands still until it is moved. */
export class FixedClock {
  time: number;
  constructor(time: number = NOON) {
    this.time = time;
  }
  now(): number {
    return this.time;
  }
}

export function checkOf(changes: Partial<Check> = {}): Check {
  return {
    tenant: 'acme',
    subject: { type: 'user', id: 'alice', properties: {} },
    action: { name: 'deploy', properties: {} },
    resource: { type: 'service', id: 'billing', properties: { environment: 'prod' } },
    context: { comment: 'CHG-1234 roll back' },
    ...changes,
  };
}

/** An approval-required rule; its digest is that of what is given here. */
export function ruleOf(
  id: string,
  terms: Partial<ApprovalTerms> = {},
  references?: Partial<ConditionReferences>,
): ApprovalRequiredRule {
  const approval: ApprovalTerms = {
    risk: 'medium',
    stages: [{ approvers: { roles: ['approver'], users: [] }, count: 1 }],
    expiresAfter: 24 * HOUR,
    grant: { mode: 'once', duration: 24 * HOUR },
    ...terms,
  };
  const when = references && conditionOf(references);
  return {
    id,
    kind: 'approval-required',
    match: {},
    ...(when === undefined ? {} : { when }),
    digest: sha256Hex(canonicalJson({ id, approval, references } as unknown as JsonValue)),
    source: { file: 'governance/rules.yaml', line: 1 },
    approval,
  };
}

export function conditionOf(references: Partial<ConditionReferences>): Condition {
  return {
    source: 'true',
    references: { context: [], subject: [], action: [], resource: [], ...references },
    evaluate: () => ({ value: true }),
  };
}

export function questionOf(
  check: Check = checkOf(),
  rules: readonly ApprovalRequiredRule[] = [ruleOf('prod-deploy')],
  bind: readonly string[] = [],
): ApprovalQuestion {
  return { check, requested: check, rules, bind };
}

/** A policy of these approval-required rules; none of them applies to a request that does not keep it. */
export function policyOf(
  rules: readonly ApprovalRequiredRule[],
  changes: Partial<PolicyInForce> = {},
): PolicyInForce {
  const digests = rules.map(({ digest }) => digest);
  return { revision: 7, digests, bind: [], needs: () => [], ...changes };
}

/** The key of a user in acme unless told otherwise. */
export function callerOf(user: string, changes: Partial<Caller> = {}): Caller {
  return {
    id: `key:${user}`,
    tenant: 'acme',
    user,
    person: `user:${user}`,
    systemRoles: [],
    ...changes,
  };
}

/** What the policy says of a caller: roles that `g` gives its user, permissions of its credential. */
export function actingAs(
  caller: Caller,
  roles: Readonly<Record<string, readonly string[]>> = {},
  permissions: readonly Permission[] = [],
): Acting {
  return {
    caller,
    rolesIn: (tenant) => roles[tenant] ?? [],
    permits: (permission, tenant) =>
      permissions.includes(permission) && (caller.tenant === undefined || caller.tenant === tenant),
    requestId: 'req-1',
  };
}

/** A user of acme whom `g` gives the role `approver` there. */
export function approver(user: string): Acting {
  return actingAs(callerOf(user), { acme: ['approver'] });
}

/** A key without a user that carries system roles. */
export function service(id: string, roles: readonly SystemRole[] = ['service']): Caller {
  return {
    id: `key:${id}`,
    tenant: 'acme',
    user: undefined,
    person: `key:${id}`,
    systemRoles: roles,
  };
}
