import { Unavailable } from '../errors.js';
import type { Limiter } from '../governance/limiter.js';
import type { Clock } from '../platform/clock.js';
import { type Eventual, whenHere } from '../platform/eventual.js';
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
  settle(evaluation: Evaluation, verdict: Verdict): Eventual<Answer | undefined>;
}

/** Ends the decision with a verdict, or lets the check pass; at once where it asks no store. */
type Step = (evaluation: Evaluation, stores: Stores) => Eventual<Verdict | undefined>;

/**
 * The decision. Its order never changes:
 *
 *   authenticate → version gate → Casbin → time-window → require-comment → approval-required →
 *   rate-limit → spend and audit → answer
 *
 * The first two stand at the door (`identity/authenticate.ts`); Casbin was read, for all checks of a
 * request, in one synchronous pass (`read-policy.ts`); `Stores.settle` spends, audits and answers.
 * No step comes back after another, so nothing turns Casbin's deny into an allow.
 */
const STEPS: readonly Step[] = [
  judgeCasbin,
  checkTimeWindow,
  requireComment,
  (evaluation, { approvals }) => requireApproval(evaluation, approvals),
  (evaluation, { limiter }) => limitRate(evaluation, limiter),
];

/** A check that loses the race for a grant starts over; it finds another grant at most this often. */
const MAX_TRIES = 5;

/**
 * Takes the steps: at once where none of them waits for a store. Throws, or rejects with,
 * `Unavailable` where a store that is needed cannot be reached.
 */
export function decide(reading: Reading, stores: Stores, tries = MAX_TRIES): Eventual<Answer> {
  if (tries === 0) {
    throw new Unavailable('other checks used every grant that was found for this one; try again');
  }
  const evaluation = startEvaluation(reading, stores.clock.now());
  const answer = whenHere(verdictOf(evaluation, stores), (verdict) =>
    settleOrGiveBack(evaluation, verdict, stores),
  );
  return whenHere(answer, (given) => given ?? decide(reading, stores, tries - 1));
}

/** The verdict of the first step, from the given one on, that has one; allowed where none has. */
function verdictOf(evaluation: Evaluation, stores: Stores, first = 0): Eventual<Verdict> {
  for (let index = first; index < STEPS.length; index += 1) {
    const verdict = STEPS[index]?.(evaluation, stores);
    if (verdict instanceof Promise) {
      return verdict.then((late) => late ?? verdictOf(evaluation, stores, index + 1));
    }
    if (verdict !== undefined) return verdict;
  }
  return allow(evaluation);
}

/** A check that is not allowed after all costs no quota, whether it lost a race or a store failed. */
function settleOrGiveBack(
  evaluation: Evaluation,
  verdict: Verdict,
  stores: Stores,
): Eventual<Answer | undefined> {
  if (evaluation.receipt === undefined) return stores.settle(evaluation, verdict);
  let answer: Eventual<Answer | undefined>;
  try {
    answer = stores.settle(evaluation, verdict);
  } catch (error) {
    answer = Promise.reject(error);
  }
  if (answer !== undefined && !(answer instanceof Promise)) return answer;
  return orGiveBack(answer, evaluation, stores);
}

async function orGiveBack(
  settled: Eventual<Answer | undefined>,
  evaluation: Evaluation,
  stores: Stores,
): Promise<Answer | undefined> {
  let answer: Answer | undefined;
  try {
    answer = await settled;
    return answer;
  } finally {
    // Where even that fails, a unit is lost until its window is over, and nothing else.
    if (answer === undefined)
      await giveBackQuota(evaluation, stores.limiter).catch(() => undefined);
  }
}
