import { orderedIds } from '../platform/ordered-id.js';
import type { DecidingRule, DecisionWord, Reason } from '../vocabulary.js';
import type { ApprovalNote, Evaluation, RateLimitNote, TraceStep, Verdict } from './evaluation.js';

/** How a decision came about, for `explain`. */
export interface Trace {
  /** The tenant's roles of the subject, inherited ones too. */
  readonly roles: readonly string[];
  readonly bundle: {
    readonly number: number;
    readonly name: string;
    readonly commit?: string;
  } | null;
  /** The steps that had something to say, in order; the last of them decided. */
  readonly steps: readonly TraceStep[];
}

/** The body of a `200` to `POST /check`. */
export interface AnswerBody {
  readonly decision: DecisionWord;
  readonly allowed: boolean;
  readonly reason: Reason;
  readonly message: string;
  readonly rules: readonly DecidingRule[];
  readonly approval?: ApprovalNote;
  readonly rate_limit?: RateLimitNote;
  readonly retry_at?: string;
  readonly trace?: Trace;
  readonly revision: number;
  readonly decision_id: string;
}

/** The body with what belongs in the headers. Plain JSON: it is kept for repetitions as it is. */
export interface Answer {
  readonly body: AnswerBody;
  /** Seconds, for `Retry-After`; given where a rate limit denied the check. */
  readonly retryAfter?: number;
}

const nextId = orderedIds();

/** `dec_` and a UUID of version 7 for `now`, in milliseconds: ids sort by time. */
export function newDecisionId(now: number): string {
  return `dec_${nextId(now)}`;
}

/** A body on its way: its members are put in one after another, in the order of `AnswerBody`. */
type Draft = { -readonly [Member in keyof AnswerBody]?: AnswerBody[Member] };

/** Puts the answer together. */
export function answerOf(evaluation: Evaluation, verdict: Verdict, decisionId: string): Answer {
  const { question, policy, rateLimit } = evaluation;
  const { decision, reason, message, approval, retryAt } = verdict;
  const { rules } = evaluation;
  const draft: Draft = { decision, allowed: decision === 'allow', reason, message, rules };
  // Most answers have none of these, and should not pay for them.
  if (approval !== undefined) draft.approval = approval;
  if (rateLimit !== undefined) draft.rate_limit = rateLimit;
  if (retryAt !== undefined) draft.retry_at = retryAt;
  if (question.options.explain) draft.trace = traceOf(evaluation);
  draft.revision = policy.revision;
  draft.decision_id = decisionId;
  // No member that an answer must have is missing now.
  const body = draft as AnswerBody;
  return verdict.retryAfter === undefined ? { body } : { body, retryAfter: verdict.retryAfter };
}

function traceOf({ policy, roles, trace }: Evaluation): Trace {
  const { bundle } = policy;
  if (bundle === undefined) return { roles, bundle: null, steps: trace };
  const { number, name, commit } = bundle;
  return {
    roles,
    bundle: commit === undefined ? { number, name } : { number, name, commit },
    steps: trace,
  };
}
