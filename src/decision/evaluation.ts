import type { GrantMode } from '../approvals/approval.js';
import type { EngineAnswer } from '../engine/engine.js';
import type { Taken } from '../governance/limiter.js';
import type { Caller } from '../identity/caller.js';
import type { Snapshot } from '../policy/snapshot.js';
import { type AppliedByKind, type AppliedRule, NO_RULES, selectRules } from './select-rules.js';
import type {
  Check,
  DecidingRule,
  DecisionWord,
  GovernanceKind,
  GovernanceOutcome,
  Reason,
} from '../vocabulary.js';

/** What was taken from the limits, to be given back should the check not be allowed after all. */
export type Receipt = Taken['receipt'];

/** What a caller may ask for besides the answer. */
export interface CheckOptions {
  /** Send the trace along. */
  readonly explain: boolean;
  /** Touch no quota, grant or approval. */
  readonly dryRun: boolean;
  /** Where the answer would be `approval_required`, open the request. */
  readonly openApproval: boolean;
}

/** A check that may be asked: its caller was let through the door and may ask about this subject. */
export interface Question {
  /** As decided: with stored properties merged in. */
  readonly check: Check;
  /** As sent: what an approval binds whole. */
  readonly requested: Check;
  readonly options: CheckOptions;
  readonly caller: Caller;
  readonly requestId: string;
  readonly ip: string | undefined;
}

/** The part of an approval that an answer carries. */
export interface ApprovalNote {
  readonly id: string;
  readonly status: string;
  /** RFC 3339. */
  readonly expires_at: string;
}

/** Where the tightest limit in force stands after this check; `reset` in seconds. */
export interface RateLimitNote {
  readonly limit: number;
  readonly remaining: number;
  readonly reset: number;
}

/** A step's answer that ends the decision. A step that lets the check pass answers `undefined`. */
export interface Verdict {
  readonly decision: DecisionWord;
  readonly reason: Reason;
  readonly message: string;
  readonly approval?: ApprovalNote;
  /** RFC 3339: when a closed window opens next. */
  readonly retryAt?: string;
  /** Seconds until the same check may pass. */
  readonly retryAfter?: number;
}

/** What one step found, for the trace of `explain`. */
export interface TraceStep {
  readonly step: string;
  readonly outcome: string;
  readonly message?: string;
}

/** What was read from the policy for one question, all in one synchronous pass. */
export interface Reading {
  readonly question: Question;
  readonly policy: Snapshot;
  readonly casbin: EngineAnswer;
  /** The subject's roles in the tenant, inherited ones too; none where nothing asks for them. */
  readonly roles: readonly string[];
}

/** A decision on its way: what was read, and what the steps have found so far. */
export interface Evaluation extends Reading {
  /** Milliseconds since the epoch; the same for every step. */
  readonly now: number;
  /** The governance rules that apply, by kind; none where Casbin does not allow the check. */
  readonly applied: AppliedByKind;
  /** What decided so far; becomes `rules` of the answer. */
  readonly rules: DecidingRule[];
  readonly trace: TraceStep[];
  rateLimit: RateLimitNote | undefined;
  /** What was taken from the limits. */
  receipt: Receipt | undefined;
  /** The grant that lifts the approval rules, once one was found. */
  grant: { readonly id: string; readonly mode: GrantMode; readonly expiresAt: number } | undefined;
}

/** Begins a decision at `now`, in milliseconds since the epoch. */
export function startEvaluation(reading: Reading, now: number): Evaluation {
  const { policy, question, casbin, roles } = reading;
  const applied =
    casbin.effect === 'allow'
      ? selectRules(policy.governance, { check: question.check, roles, now })
      : NO_RULES;
  return {
    question,
    policy,
    casbin,
    roles,
    now,
    applied,
    rules: [],
    trace: [],
    rateLimit: undefined,
    receipt: undefined,
    grant: undefined,
  };
}

/**
 * Notes what a rule did. A rule that applies only because it could not be evaluated says so whatever
 * it did, unless a grant lifted it.
 */
export function note<Kind extends GovernanceKind>(
  evaluation: Evaluation,
  { rule, failed }: AppliedRule<Kind>,
  outcome: GovernanceOutcome,
  message?: string,
): void {
  const shown = failed !== undefined && outcome !== 'granted' ? 'failed_closed' : outcome;
  const why = failed ?? message;
  const { id, kind } = rule;
  evaluation.rules.push(
    why === undefined ? { id, kind, outcome: shown } : { id, kind, outcome: shown, message: why },
  );
}
