import type { Approval } from './approval.js';
import type { PolicyInForce } from './approval-service.js';
import type { Read } from './approval-store.js';
import { sortedPaths } from './binding.js';
import { atTime } from './state-machine.js';

/**
 * The approval as it stands by time and by the policy in force: a pending request that keeps a rule
 * which is gone or reads otherwise, or binds other paths, reads `cancelled` (`policy_changed`),
 * whether or not that was written down yet. `hasChanged` of the store says the same in SQL.
 */
export function asItStands(read: Read, policy: PolicyInForce | undefined): Approval {
  const approval = atTime(read.approval, read.now);
  if (approval.status !== 'pending' || !isOutdated(read, policy)) return approval;
  return { ...approval, status: 'cancelled', reason: 'policy_changed' };
}

/**
 * Whether the policy has changed under a pending request: what it keeps reads otherwise now, or it
 * no longer covers every rule that applies to its check. A request of a later revision than the
 * policy's is never held against it: this server lags behind.
 */
export function isOvertaken(read: Read, policy: PolicyInForce | undefined): boolean {
  return isOutdated(read, policy) || lacksRule(read.approval, policy);
}

/** Whether a rule that the request does not keep applies to its check by a later policy. */
export function lacksRule(
  { check, openedAt, revision, rules }: Approval,
  policy: PolicyInForce | undefined,
): boolean {
  if (policy === undefined || revision >= policy.revision) return false;
  const kept = new Set(rules.map(({ digest }) => digest));
  return policy.needs(check, openedAt).some((digest) => !kept.has(digest));
}

function isOutdated({ approval, bind }: Read, policy: PolicyInForce | undefined): boolean {
  if (policy === undefined || approval.revision > policy.revision) return false;
  const digests = new Set(policy.digests);
  const paths = sortedPaths(policy.bind);
  return !(
    approval.rules.every(({ digest }) => digests.has(digest)) &&
    bind.length === paths.length &&
    bind.every((path, index) => path === paths[index])
  );
}
