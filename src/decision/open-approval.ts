import type { ApprovalView } from '../approvals/approval.js';
import type { OpenedApproval } from '../approvals/approval-service.js';
import { ApprovalNotNeeded, Denied } from '../errors.js';
import type { Eventual } from '../platform/eventual.js';
import type { Answer } from './answer.js';
import type { Question } from './evaluation.js';
import type { ApprovalFinder } from './steps/require-approval.js';

/** An approval that was asked for; `created`: by this call. */
export interface RequestedApproval {
  readonly approval: ApprovalView;
  readonly created: boolean;
}

/**
 * Decides the question with a finder that opens the request wherever one is needed, and hands that
 * request back. Throws `ApprovalNotNeeded` or `Denied`, with the decision, where there is nothing to
 * approve. No quota is spent by asking.
 */
export async function openApproval(
  question: Question,
  approvals: ApprovalFinder,
  decide: (question: Question, approvals: ApprovalFinder) => Eventual<Answer>,
): Promise<RequestedApproval> {
  let opened: OpenedApproval | undefined;
  const finder: ApprovalFinder = {
    async find(asked) {
      const found = await approvals.find(asked);
      return found.state === 'pending' ? { state: 'none' } : found;
    },
    async open(asked, opening) {
      opened = await approvals.open(asked, opening);
      return opened;
    },
  };
  const options = { ...question.options, dryRun: true, openApproval: true };
  const { body: decision } = await decide({ ...question, options }, finder);
  if (opened !== undefined && opened.outcome !== 'settled') {
    return { approval: opened.approval, created: opened.outcome === 'opened' };
  }
  const members = { members: { decision } };
  if (decision.allowed) throw new ApprovalNotNeeded(decision.message, members);
  throw new Denied(decision.message, members);
}
