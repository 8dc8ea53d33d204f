import type { Check, GovernanceKind } from '../vocabulary.js';

/** Who may decide a stage: holders of any of the roles, or the named users. */
export interface Approvers {
  readonly roles: readonly string[];
  readonly users: readonly string[];
}

/** One stage of an approval: `count` different persons out of `approvers`. */
export interface Stage {
  readonly approvers: Approvers;
  readonly count: number;
}

export type Risk = 'low' | 'medium' | 'high' | 'critical';

/** What an `approval-required` rule asks for. Durations in milliseconds. */
export interface ApprovalTerms {
  readonly risk: Risk;
  readonly stages: readonly Stage[];
  readonly expiresAfter: number;
  readonly escalate?: { readonly after: number; readonly to: Approvers };
  readonly grant: { readonly mode: 'once' | 'window'; readonly duration: number };
}

export interface CommentTerms {
  /** Characters after trimming; 1 where the rule gives none. */
  readonly minLength: number;
  /** May match anywhere in the trimmed comment. */
  readonly pattern?: { readonly source: string; matches(text: string): boolean };
}

/** One window of wall-clock time. Minutes of the day; `to` is exclusive and may be 1440. */
export interface Window {
  /** ISO weekdays, 1 (Monday) to 7; the day is that of `from`. */
  readonly days: readonly number[];
  readonly from: number;
  readonly to: number;
  readonly timeZone: string;
}

export type Per = 'second' | 'minute' | 'hour' | 'day';
export interface Limit {
  readonly per: Per;
  readonly count: number;
}
export interface RateTerms {
  readonly limits: readonly Limit[];
  /** Replaces the limit of the same `per` for holders of the role; of several roles the largest. */
  readonly byRole: Readonly<Record<string, readonly Limit[]>>;
  readonly key: 'subject' | 'tenant' | 'resource';
}

/** What the CEL expression of a rule reads; what the binding of an approval is made from. */
export interface ConditionReferences {
  /** Members of `context` that the expression names; `'*'` where it uses `context` whole. */
  readonly context: readonly string[] | '*';
  /** Members of `subject.properties`, alike. */
  readonly subject: readonly string[] | '*';
  readonly action: readonly string[] | '*';
  readonly resource: readonly string[] | '*';
}

/** What a condition may see. `now` in milliseconds since the epoch. */
export interface ConditionInput {
  readonly check: Check;
  readonly roles: readonly string[];
  readonly now: number;
}

/** A compiled `when`. `failed` where it cannot be evaluated; the rule then applies (fail closed). */
export interface Condition {
  readonly source: string;
  readonly references: ConditionReferences;
  evaluate(input: ConditionInput): { readonly value: boolean } | { readonly failed: string };
}

/** Which checks a rule speaks of, but for its condition. All given members must match. */
export interface Match {
  readonly tenants?: readonly string[];
  readonly subjects?: readonly string[];
  readonly roles?: readonly string[];
  readonly actions?: readonly string[];
  readonly resources?: readonly string[];
}

interface RuleBase<Kind extends GovernanceKind> {
  readonly id: string;
  readonly kind: Kind;
  readonly description?: string;
  readonly match: Match;
  readonly when?: Condition;
  /**
   * SHA-256 (hex) over the canonical JSON of the rule as written, but for its description: same digest,
   * same rule.
   */
  readonly digest: string;
  readonly source: { readonly file: string; readonly line: number };
}

export type TimeWindowRule = RuleBase<'time-window'> & { readonly windows: readonly Window[] };
export type RequireCommentRule = RuleBase<'require-comment'> & { readonly comment: CommentTerms };
export type ApprovalRequiredRule = RuleBase<'approval-required'> & {
  readonly approval: ApprovalTerms;
};
export type RateLimitRule = RuleBase<'rate-limit'> & { readonly rate: RateTerms };

/** A compiled governance rule of a bundle; immutable. */
export type GovernanceRule =
  | TimeWindowRule
  | RequireCommentRule
  | ApprovalRequiredRule
  | RateLimitRule;

/** A governance rule that applies to a check; `failed` says why its condition could not be evaluated. */
export interface Applied<Rule extends GovernanceRule = GovernanceRule> {
  readonly rule: Rule;
  readonly failed?: string;
}
