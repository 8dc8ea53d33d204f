import type { DecidingRule, DecisionWord, JsonObject, Reason } from '../vocabulary.js';

/**
 * One thing that happened: a decision, or a change. What a recorder stamps on it (`id`, `seq`, `at`
 * where not given) is not here.
 */
export interface AuditEvent {
  /** `decision`, `rules.changed`, `bundle.applied`, `key.created`, `approval.opened`, … */
  readonly kind: string;
  readonly at?: Date;
  readonly tenant?: string;
  /** The person or caller who did it. */
  readonly actor: string;
  /** Casbin's name of the subject (`subjectKey`). */
  readonly subject?: string;
  readonly action?: string;
  /** The resource key. */
  readonly resource?: string;
  readonly decision?: DecisionWord;
  readonly reason?: Reason;
  readonly rules?: readonly DecidingRule[];
  /** The revision of the policy as evaluated, or the one that a change made. */
  readonly revision?: number;
  readonly bundle?: number;
  readonly commit?: string;
  readonly requestId?: string;
  readonly approvalId?: string;
  readonly ip?: string;
  readonly detail?: JsonObject;
  /** The id of the event; for decisions the `decision_id`. Made where not given. */
  readonly id?: string;
}
