import {
  AlreadyDecided,
  Conflict,
  type CountersignError,
  Forbidden,
  NotAnApprover,
  SelfApproval,
} from '../errors.js';
import type { Approval } from './approval.js';
import type { Refusal } from './state-machine.js';

/** What a caller is told when an approval that stands like this refuses what it tried. */
export function refusalError(
  refusal: Refusal,
  { status, reason }: Pick<Approval, 'status' | 'reason'>,
): CountersignError {
  switch (refusal) {
    case 'self_approval':
      return new SelfApproval(
        'whoever asked for an approval, and its subject, cannot decide on it; ask somebody else',
      );
    case 'not_an_approver':
      return new NotAnApprover(
        'this credential holds no approver role of the stage and is not named in it; ask one who is',
      );
    case 'already_voted':
      return new Conflict('you have voted already; one person counts once over all stages');
    case 'not_theirs':
      return new Forbidden(
        'only the person who asked, or a credential with `approvals:cancel`, may cancel a request',
      );
    case 'still_pending':
      return new Conflict(
        'the request is `pending`: there is no grant to revoke; cancel or reject it',
      );
    case 'already_decided':
    case 'not_yet':
      if (reason === 'policy_changed') {
        return new AlreadyDecided(
          'the request is `cancelled`: the policy has changed since it was opened, and a new request is needed',
        );
      }
      return new AlreadyDecided(
        status === 'approved'
          ? 'the request is `approved` already; to take the grant back, revoke it'
          : `the request is \`${status}\` already; where it is still needed, open a new one`,
      );
    default:
      return refusal satisfies never;
  }
}
