import type { DecidingRule, DecisionWord, JsonObject, Reason } from '../vocabulary.js';

/**
 * One thing that happened: a decision, or a change. What a recorder stamps on it (`id`, `seq`, `at`
 * where not given) is not here. It may be written some time after it was recorded: neither it nor
 * anything that it refers to may be changed once it was handed over.
 */
export interface AuditEvent {
  /** `decision`, `rules.changed`, `bundle.applied`, `key.created`, `approval.opened`, … */
  readonly kind: string;
  readonly at?: Date | undefined;
  readonly tenant?: string | undefined;
  /** The person or caller who did it. */
  readonly actor: string;
  /** Casbin's name of the subject (`subjectKey`). */
  readonly subject?: string | undefined;
  readonly action?: string | undefined;
  /** The resource key. */
  readonly resource?: string | undefined;
  readonly decision?: DecisionWord | undefined;
  readonly reason?: Reason | undefined;
  readonly rules?: readonly DecidingRule[] | undefined;
  /** The revision of the policy as evaluated, or the one that a change made. */
  readonly revision?: number | undefined;
  readonly bundle?: number | undefined;
  readonly commit?: string | undefined;
  readonly requestId?: string | undefined;
  readonly approvalId?: string | undefined;
  readonly ip?: string | undefined;
  readonly detail?: JsonObject | undefined;
  /** The id of the event; for decisions the `decision_id`. Made where not given. */
  readonly id?: string | undefined;
}

/** An event as a recorder took it. */
export interface RecordedEvent {
  readonly event: AuditEvent;
  /** When it happened, in milliseconds since the epoch. */
  readonly at: number;
  /** Paths to mask in `detail.check`: those of the bundle in force when it was recorded. */
  readonly redactPaths: readonly string[];
}
