import { v7 as uuid } from 'uuid';
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

/** `dec_` and a UUID of version 7: ids sort by time. */
export function newDecisionId(): string {
  return `dec_${uuid().replaceAll('-', '')}`;
}

/** Puts the answer together. */
export function answerOf(evaluation: Evaluation, verdict: Verdict, decisionId: string): Answer {
  const { question, policy, rateLimit } = evaluation;
  const body: AnswerBody = {
    decision: verdict.decision,
    allowed: verdict.decision === 'allow',
    reason: verdict.reason,
    message: verdict.message,
    rules: evaluation.rules,
    ...(verdict.approval === undefined ? {} : { approval: verdict.approval }),
    ...(rateLimit === undefined ? {} : { rate_limit: rateLimit }),
    ...(verdict.retryAt === undefined ? {} : { retry_at: verdict.retryAt }),
    ...(question.options.explain ? { trace: traceOf(evaluation) } : {}),
    revision: policy.revision,
    decision_id: decisionId,
  };
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
