import type { Approval } from './approval.js';
import type { Acting } from './approval-service.js';
import { eligibleFor, isOwn, type Voter } from './eligibility.js';

/** The caller as one who votes in a tenant. */
export function voterIn(acting: Acting, tenant: string): Voter {
  const { person, user, systemRoles } = acting.caller;
  const given = user === undefined ? [] : acting.rolesIn(tenant);
  return { person, user, roles: [...systemRoles, ...given] };
}

/** Whether the credential reaches the tenant at all; for the others an approval does not exist. */
export function reaches({ caller }: Pick<Acting, 'caller'>, tenant: string): boolean {
  return caller.tenant === undefined || caller.tenant === tenant;
}

/**
 * Whether a caller may know of an approval: it may read all of them in the tenant, asked for it, is
 * its subject, may decide one of its stages, or has voted. `searchApprovals` says the same in SQL.
 */
export function maySee(acting: Acting, approval: Approval): boolean {
  if (!reaches(acting, approval.tenant)) return false;
  if (acting.permits('approvals:read', approval.tenant)) return true;
  const voter = voterIn(acting, approval.tenant);
  return (
    isOwn(approval, voter) ||
    approval.stages.some(
      ({ approvers, votes }) =>
        eligibleFor(approvers, voter) || votes.some(({ by }) => by === voter.person),
    )
  );
}
