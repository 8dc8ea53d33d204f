import { Unavailable } from '../errors.js';
import type { Limiter } from '../governance/limiter.js';
import type { Clock } from '../platform/clock.js';
import type { Answer } from './answer.js';
import { type Evaluation, type Reading, startEvaluation, type Verdict } from './evaluation.js';
import { allow } from './steps/allow.js';
import { judgeCasbin } from './steps/judge-casbin.js';
import { checkTimeWindow } from './steps/check-time-window.js';
import { giveBackQuota, limitRate } from './steps/limit-rate.js';
import { type ApprovalFinder, requireApproval } from './steps/require-approval.js';
import { requireComment } from './steps/require-comment.js';

/** What a decision reads and writes besides the policy. */
export interface Stores {
  readonly clock: Clock;
  readonly approvals: ApprovalFinder;
  readonly limiter: Limiter;
  /**
   * The last step, "spend and audit": uses the grant, writes the evidence, gives the answer.
   * Undefined where another check has used the grant first.
   */
  settle(evaluation: Evaluation, verdict: Verdict): Promise<Answer | undefined>;
}

/** A check that loses the race for a grant starts over; it finds another grant at most this often. */
const MAX_TRIES = 5;

/**
 * The decision. Its order never changes:
 *
 *   authenticate → version gate → Casbin → time-window → require-comment → approval-required →
 *   rate-limit → spend and audit → answer
 *
 * The first two stand at the door (`identity/authenticate.ts`); Casbin was read, for all checks of a
 * request, in one synchronous pass (`read-policy.ts`). Each step ends the decision with a verdict or
 * lets the check pass, so nothing turns Casbin's deny into an allow. Throws `Unavailable` where a
 * store that is needed cannot be reached.
 */
export async function decide(reading: Reading, stores: Stores): Promise<Answer> {
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    const evaluation = startEvaluation(reading, stores.clock.now());

    const verdict =
      judgeCasbin(evaluation) ??
      checkTimeWindow(evaluation) ??
      requireComment(evaluation) ??
      (await requireApproval(evaluation, stores.approvals)) ??
      (await limitRate(evaluation, stores.limiter)) ??
      allow(evaluation);

    const answer = await settleOrGiveBack(evaluation, verdict, stores);
    if (answer !== undefined) return answer;
  }
  throw new Unavailable('other checks used every grant that was found for this one; try again');
}

/** A check that is not allowed after all costs no quota, whether it lost a race or a store failed. */
async function settleOrGiveBack(
  evaluation: Evaluation,
  verdict: Verdict,
  stores: Stores,
): Promise<Answer | undefined> {
  let answer: Answer | undefined;
  try {
    answer = await stores.settle(evaluation, verdict);
    return answer;
  } finally {
    // Where even that fails, a unit is lost until its window is over, and nothing else.
    if (answer === undefined)
      await giveBackQuota(evaluation, stores.limiter).catch(() => undefined);
  }
}
