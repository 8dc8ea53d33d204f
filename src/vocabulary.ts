/**
 * The words of the server as types. Everything that decides, stores or explains a check speaks of
 * these and no others; the wire format of a check is in `check-members.ts`.
 */

/** Any value that JSON can carry. Numbers are finite, strings well-formed. */
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [member: string]: JsonValue };

/** A JSON object: always an object, empty where nothing was given. */
export type JsonObject = { readonly [member: string]: JsonValue };

/** Who wants to act. `type` is `user` unless given. */
export interface Subject {
  readonly type: string;
  readonly id: string;
  readonly properties: JsonObject;
}

/** What the subject wants to do. */
export interface Action {
  readonly name: string;
  readonly properties: JsonObject;
}

/** What it wants to do it to. Its *key* (`resourceKey`) is `type:id`. */
export interface Resource {
  readonly type: string;
  readonly id: string;
  readonly properties: JsonObject;
}

/** One question: may this subject do this action on this resource, in this tenant and context? */
export interface Check {
  readonly tenant: string;
  readonly subject: Subject;
  readonly action: Action;
  readonly resource: Resource;
  readonly context: JsonObject;
}

/** The name by which Casbin rules know a subject: the bare id for users, `type:id` for others. */
export function subjectKey(subject: Pick<Subject, 'type' | 'id'>): string {
  return subject.type === 'user' ? subject.id : `${subject.type}:${subject.id}`;
}

/** The name by which Casbin rules know a resource: `type:id`. */
export function resourceKey(resource: Pick<Resource, 'type' | 'id'>): string {
  return `${resource.type}:${resource.id}`;
}

/** A Casbin policy line, its type first: `['p', 'editor', 'acme', 'document:*', 'read', 'allow']`. */
export type RuleLine = readonly [ptype: string, ...values: string[]];

/** The kinds of governance rule, in the order in which a decision takes them. */
export const GOVERNANCE_KINDS = [
  'time-window',
  'require-comment',
  'approval-required',
  'rate-limit',
] as const;
export type GovernanceKind = (typeof GOVERNANCE_KINDS)[number];

/** What one governance rule did to a check. `failed_closed`: it could not be evaluated, so it applied. */
export type GovernanceOutcome = 'passed' | 'denied' | 'pending' | 'granted' | 'failed_closed';

/** One rule named by a decision: the deciding Casbin rule, or a governance rule that applied. */
export type DecidingRule =
  | { readonly kind: 'casbin'; readonly rule: RuleLine }
  | {
      readonly kind: GovernanceKind;
      readonly id: string;
      readonly outcome: GovernanceOutcome;
      /** Why, where the outcome alone does not say it; always with `failed_closed`. */
      readonly message?: string;
    };

/** The answer to a check in one word. */
export type DecisionWord = 'allow' | 'deny' | 'approval_required';

/** Why each decision was taken; stable codes that callers may branch on. */
export const REASONS = {
  allow: ['allowed', 'granted'],
  approval_required: ['approval_required', 'approval_pending'],
  deny: [
    'no_matching_rule',
    'explicit_deny',
    'evaluation_error',
    'subject_suspended',
    'outside_time_window',
    'comment_required',
    'rate_limited',
    'approval_rejected',
  ],
} as const satisfies Record<DecisionWord, readonly string[]>;
export type Reason = (typeof REASONS)[DecisionWord][number];
