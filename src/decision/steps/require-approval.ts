import type { FoundApproval } from '../../approvals/approval.js';
import type { ApprovalService } from '../../approvals/approval-service.js';
import type { ApprovalQuestion } from '../../approvals/binding.js';
import type { Approvers, Stage } from '../../governance/governance-rule.js';
import type { Eventual } from '../../platform/eventual.js';
import type { GovernanceOutcome } from '../../vocabulary.js';
import { type ApprovalNote, type Evaluation, note, type Verdict } from '../evaluation.js';
import { describe } from '../describe.js';

/** What this step needs of the approvals. */
export type ApprovalFinder = Pick<ApprovalService, 'find' | 'open'>;

/**
 * Every approval-required rule that applies must be lifted by a grant for exactly this check. Where
 * none is, the request is opened if the caller asked for that.
 */
export function requireApproval(
  evaluation: Evaluation,
  approvals: ApprovalFinder,
): Eventual<Verdict | undefined> {
  const entries = evaluation.applied['approval-required'];
  if (entries.length === 0) return undefined;
  return findOrOpen(evaluation, entries, approvals);
}

async function findOrOpen(
  evaluation: Evaluation,
  entries: Evaluation['applied']['approval-required'],
  approvals: ApprovalFinder,
): Promise<Verdict | undefined> {
  const { policy, question } = evaluation;
  const asked: ApprovalQuestion = {
    check: question.check,
    requested: question.requested,
    rules: entries.map(({ rule }) => rule),
    bind: policy.settings.bind,
  };
  const found = await approvals.find(asked);
  if (found.state === 'none' && question.options.openApproval) {
    return openRequest(evaluation, asked, approvals);
  }
  return judge(evaluation, found);
}

async function openRequest(
  evaluation: Evaluation,
  asked: ApprovalQuestion,
  approvals: ApprovalFinder,
): Promise<Verdict | undefined> {
  const { caller, requestId } = evaluation.question;
  const opened = await approvals.open(asked, {
    requester: caller,
    revision: evaluation.policy.revision,
    requestId,
  });
  if (opened.outcome === 'settled') return judge(evaluation, opened.found);
  const { id, status, expires_at } = opened.approval;
  return waiting(evaluation, opened.outcome === 'opened', { id, status, expires_at });
}

function judge(evaluation: Evaluation, found: FoundApproval): Verdict | undefined {
  switch (found.state) {
    case 'granted':
      noteAll(evaluation, 'granted');
      evaluation.grant = { id: found.id, mode: found.mode, expiresAt: found.expiresAt };
      return undefined;
    case 'rejected':
      noteAll(evaluation, 'denied');
      return {
        decision: 'deny',
        reason: 'approval_rejected',
        message: `an approver rejected ${describe(evaluation.question.check)}`,
        approval: { id: found.id, status: 'rejected', expires_at: instant(found.until) },
      };
    case 'pending': {
      const { id, expiresAt } = found;
      return waiting(evaluation, false, { id, status: 'pending', expires_at: instant(expiresAt) });
    }
    case 'none':
      return waiting(evaluation, true);
  }
}

/** Not approved yet. `first`: nobody had been asked before this check. */
function waiting(evaluation: Evaluation, first: boolean, approval?: ApprovalNote): Verdict {
  noteAll(evaluation, 'pending');
  const stages = evaluation.applied['approval-required'].flatMap(
    ({ rule }) => rule.approval.stages,
  );
  const what = describe(evaluation.question.check);
  return {
    decision: 'approval_required',
    reason: first ? 'approval_required' : 'approval_pending',
    message: first
      ? `${what} needs ${neededFor(stages)}`
      : `${what} waits for ${neededFor(stages)}`,
    ...(approval === undefined ? {} : { approval }),
  };
}

function noteAll(evaluation: Evaluation, outcome: GovernanceOutcome): void {
  for (const entry of evaluation.applied['approval-required']) note(evaluation, entry, outcome);
  evaluation.trace.push({ step: 'approval-required', outcome });
}

/** `1 approval from approver, then 2 approvals from admin`. */
function neededFor(stages: readonly Stage[]): string {
  return stages
    .map(
      ({ approvers, count }) =>
        `${count} ${count === 1 ? 'approval' : 'approvals'} from ${named(approvers)}`,
    )
    .join(', then ');
}

function named({ roles, users }: Approvers): string {
  return [...roles, ...users].join(' or ');
}

function instant(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
