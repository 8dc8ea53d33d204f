import type { EngineAnswer } from '../engine/engine.js';
import type { GovernanceRule } from '../governance/governance-rule.js';
import type { Caller } from '../identity/caller.js';
import type { Snapshot } from '../policy/snapshot.js';
import type {
  Check,
  DecidingRule,
  DecisionWord,
  GovernanceKind,
  GovernanceOutcome,
  Reason,
} from '../vocabulary.js';

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
  readonly ip?: string;
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

/**
 * A decision on its way. Everything that was read from the policy was read in one synchronous pass
 * from `policy`; the steps add what they find.
 */
export interface Evaluation {
  readonly question: Question;
  readonly policy: Snapshot;
  readonly casbin: EngineAnswer;
  /** The subject's roles in the tenant, inherited ones too. */
  readonly roles: readonly string[];
  /** Milliseconds since the epoch; the same for every step. */
  readonly now: number;
  /** The governance rules that apply, by kind, selected once Casbin has allowed. */
  readonly applied: AppliedByKind;
  /** What decided so far; becomes `rules` of the answer. */
  readonly rules: DecidingRule[];
  readonly trace: TraceStep[];
  rateLimit?: RateLimitNote;
  /** The grant that lifts the approval rules, once one was found. */
  grant?: { readonly id: string; readonly mode: 'once' | 'window' };
}

/** A governance rule of one kind that applies to the check. */
export interface AppliedRule<Kind extends GovernanceKind> {
  readonly rule: Extract<GovernanceRule, { kind: Kind }>;
  /** Why its condition could not be evaluated, where it could not. */
  readonly failed?: string;
}

/** The governance rules that apply to a check, in the bundle's order within each kind. */
export type AppliedByKind = { readonly [Kind in GovernanceKind]: readonly AppliedRule<Kind>[] };

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
  evaluation.rules.push({
    id: rule.id,
    kind: rule.kind,
    outcome: shown,
    ...(why === undefined ? {} : { message: why }),
  });
}
