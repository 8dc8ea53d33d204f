import type { Approval, ApprovalStage, Vote } from './approval.js';
import { eligibleFor, isOwn, type Voter } from './eligibility.js';

/** What can happen to an approval. `permitted`: the credential may cancel or revoke any in the tenant. */
export type ApprovalEvent =
  | {
      readonly type: 'vote';
      readonly decision: Vote['decision'];
      readonly by: Voter;
      readonly comment: string | undefined;
    }
  | { readonly type: 'cancel' | 'revoke'; readonly by: Voter; readonly permitted: boolean }
  /** A check uses the grant. */
  | { readonly type: 'spend' }
  /** A rule that it covers reads otherwise now, or is gone, or another one joined. */
  | { readonly type: 'policy_change' }
  /** Time alone: an open request may expire, a grant lapse. */
  | { readonly type: 'time' };

/** What the audit calls each step. */
export type ApprovalStep =
  | 'voted'
  | 'approved'
  | 'rejected'
  | 'cancelled'
  | 'expired'
  | 'revoked'
  | 'used'
  | 'lapsed';

/** Why an event changes nothing. */
export type Refusal =
  /** The request, or the grant, is over. */
  | 'already_decided'
  /** There is no grant yet that could be taken back or used. */
  | 'still_pending'
  | 'self_approval'
  | 'not_an_approver'
  | 'already_voted'
  /** Neither the requester nor permitted. */
  | 'not_theirs'
  /** Nothing has ended yet. */
  | 'not_yet';

/** The approval afterwards with the steps that led there, or why the event is refused. */
export type Transition =
  | { readonly next: Approval; readonly steps: readonly ApprovalStep[] }
  | { readonly refused: Refusal };

/**
 * The approval as it stands at `now`: an open request whose time is over reads `expired` and an
 * approved one whose grant is over `lapsed`, whether or not that was written down yet.
 */
export function atTime(approval: Approval, now: number): Approval {
  if (approval.status === 'pending' && now >= approval.expiresAt) {
    return { ...approval, status: 'expired' };
  }
  const { expiresAt } = approval.grant;
  if (approval.status === 'approved' && expiresAt !== undefined && now >= expiresAt) {
    return { ...approval, status: 'lapsed' };
  }
  return approval;
}

/** The stage that is being decided: the first one whose count is not met. */
export function openStage(stages: readonly ApprovalStage[]): ApprovalStage | undefined {
  return stages.find((stage) => !isMet(stage));
}

/**
 * What an event makes of an approval at `now` (milliseconds since the epoch). Pure: the store holds
 * the row while this decides, so that events on one approval come one after another.
 */
export function transition(stored: Approval, event: ApprovalEvent, now: number): Transition {
  const approval = atTime(stored, now);
  switch (event.type) {
    case 'vote':
      return vote(approval, event, now);
    case 'cancel':
      return cancel(approval, event, now);
    case 'revoke':
      return revoke(approval, event);
    case 'spend':
      return spend(approval, now);
    case 'policy_change':
      if (approval.status !== 'pending') return { refused: 'already_decided' };
      return {
        next: { ...approval, status: 'cancelled', reason: 'policy_changed', decidedAt: now },
        steps: ['cancelled'],
      };
    case 'time':
      if (approval.status === stored.status) return { refused: 'not_yet' };
      return { next: approval, steps: [approval.status === 'expired' ? 'expired' : 'lapsed'] };
    default:
      return event satisfies never;
  }
}

/** Decided before own, own before eligible: who may see a request learns first that it is over. */
function vote(
  approval: Approval,
  { by, decision, comment }: Extract<ApprovalEvent, { type: 'vote' }>,
  now: number,
): Transition {
  const stage = openStage(approval.stages);
  if (approval.status !== 'pending' || stage === undefined) return { refused: 'already_decided' };
  if (isOwn(approval, by)) return { refused: 'self_approval' };
  // Whoever has voted learns that first: the open stage may no longer be one of theirs.
  if (hasVoted(approval, by.person)) return { refused: 'already_voted' };
  if (!eligibleFor(stage.approvers, by)) return { refused: 'not_an_approver' };

  const cast: Vote = { by: by.person, decision, at: now, comment };
  const stages = approval.stages.map((each) =>
    each === stage ? { ...each, votes: [...each.votes, cast] } : each,
  );
  if (decision === 'reject') {
    return {
      next: { ...approval, stages, status: 'rejected', decidedAt: now },
      steps: ['voted', 'rejected'],
    };
  }
  if (!stages.every(isMet)) return { next: { ...approval, stages }, steps: ['voted'] };
  const grant = { ...approval.grant, expiresAt: now + approval.grant.duration };
  return {
    next: { ...approval, stages, status: 'approved', decidedAt: now, grant },
    steps: ['voted', 'approved'],
  };
}

function cancel(
  approval: Approval,
  { by, permitted }: { readonly by: Voter; readonly permitted: boolean },
  now: number,
): Transition {
  if (!permitted && approval.requester !== by.person) return { refused: 'not_theirs' };
  if (approval.status !== 'pending') return { refused: 'already_decided' };
  return { next: { ...approval, status: 'cancelled', decidedAt: now }, steps: ['cancelled'] };
}

function revoke(
  approval: Approval,
  { by, permitted }: { readonly by: Voter; readonly permitted: boolean },
): Transition {
  if (!permitted) {
    if (isOwn(approval, by)) return { refused: 'self_approval' };
    if (!approval.stages.some((stage) => eligibleFor(stage.approvers, by))) {
      return { refused: 'not_an_approver' };
    }
  }
  if (approval.status === 'pending') return { refused: 'still_pending' };
  if (approval.status !== 'approved') return { refused: 'already_decided' };
  return { next: { ...approval, status: 'revoked' }, steps: ['revoked'] };
}

/** A grant for a while is used without a trace on it; a grant for once is gone. */
function spend(approval: Approval, now: number): Transition {
  if (approval.status === 'pending') return { refused: 'still_pending' };
  if (approval.status !== 'approved') return { refused: 'already_decided' };
  if (approval.grant.mode === 'window') return { next: approval, steps: [] };
  return {
    next: { ...approval, status: 'used', grant: { ...approval.grant, usedAt: now } },
    steps: ['used'],
  };
}

function isMet(stage: ApprovalStage): boolean {
  return stage.votes.filter((vote) => vote.decision === 'approve').length >= stage.count;
}

function hasVoted(approval: Approval, person: string): boolean {
  return approval.stages.some((stage) => stage.votes.some((vote) => vote.by === person));
}
