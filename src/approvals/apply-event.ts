import type { AuditEvent } from '../audit/event.js';
import type { AuditRecorder } from '../audit/recorder.js';
import { actorOf, type Caller } from '../identity/caller.js';
import type { DatabaseTransaction } from '../platform/database.js';
import { type JsonObject, resourceKey, subjectKey } from '../vocabulary.js';
import type { Approval } from './approval.js';
import type { ApprovalStore, Read } from './approval-store.js';
import {
  type ApprovalEvent,
  type ApprovalStep,
  type Transition,
  transition,
} from './state-machine.js';

/** What the steps of an approval are written with. */
export interface Records {
  readonly store: ApprovalStore;
  readonly audit: Pick<AuditRecorder, 'write'>;
}

/** Who did something to an approval, and what the audit keeps of it. */
export interface Deed {
  /** Undefined where nobody did: time or the policy. */
  readonly caller?: Caller | undefined;
  readonly requestId?: string | undefined;
  readonly revision?: number | undefined;
  readonly detail?: JsonObject;
}

/** Who acts in the audit where no person and no credential does. */
const SERVER = 'countersign';

/**
 * Lets an event happen to an approval that the transaction holds: writes the approval and, for each
 * step, its audit event. A refused event writes nothing.
 */
export async function applyEvent(
  { store, audit }: Records,
  transaction: DatabaseTransaction,
  { approval, now }: Read,
  event: ApprovalEvent,
  deed: Deed,
): Promise<Transition> {
  const outcome = transition(approval, event, now);
  if ('refused' in outcome || outcome.steps.length === 0) return outcome;
  await store.save(transaction, outcome.next);
  await audit.write(
    transaction,
    ...outcome.steps.map((step) => auditEvent(step, outcome.next, now, deed)),
  );
  return outcome;
}

/** The audit event of one step; it happened at `now`. */
export function auditEvent(
  step: ApprovalStep | 'opened',
  { id, tenant, check, reason }: Approval,
  now: number,
  { caller, requestId, revision, detail }: Deed,
): AuditEvent {
  return {
    kind: `approval.${step}`,
    at: new Date(now),
    tenant,
    actor: caller === undefined ? SERVER : actorOf(caller),
    subject: subjectKey(check.subject),
    action: check.action.name,
    resource: resourceKey(check.resource),
    approvalId: id,
    ...(requestId === undefined ? {} : { requestId }),
    ...(revision === undefined ? {} : { revision }),
    detail: {
      ...(caller === undefined ? {} : { caller: caller.id, person: caller.person }),
      ...(reason === undefined ? {} : { reason }),
      ...detail,
    },
  };
}
