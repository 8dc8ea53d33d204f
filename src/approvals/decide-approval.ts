import { NotFound } from '../errors.js';
import type { Database } from '../platform/database.js';
import type { JsonObject } from '../vocabulary.js';
import { applyEvent, type Records } from './apply-event.js';
import { type ApprovalView, viewOf } from './approval.js';
import type { Acting } from './approval-service.js';
import { commentDetail, parseComment } from './comment.js';
import { refusalError } from './refusal-error.js';
import { maySee, reaches, voterIn } from './sight.js';
import { type ApprovalEvent, atTime, type Refusal } from './state-machine.js';

/** What a caller can do to an approval. */
export type Deciding = 'approve' | 'reject' | 'cancel' | 'revoke';

/** What who may not know of an approval is told: no more than that they cannot do this. */
const REFUSED_UNSEEN: Record<Deciding, Refusal> = {
  approve: 'not_an_approver',
  reject: 'not_an_approver',
  cancel: 'not_theirs',
  revoke: 'not_an_approver',
};

/**
 * Does what the caller asks to an approval, while holding it. Another tenant's does not exist; one
 * that the caller has nothing to do with refuses without telling how it stands.
 */
export async function decideApproval(
  records: Records,
  database: Database,
  acting: Acting,
  deciding: Deciding,
  id: string,
  comment: unknown,
): Promise<ApprovalView> {
  const said = parseComment(comment);
  return database.transaction().execute(async (transaction) => {
    const read = await records.store.lock(transaction, id);
    if (read === undefined || !reaches(acting, read.approval.tenant)) throw noSuchApproval(id);
    const { status } = atTime(read.approval, read.now);
    const event = eventOf(acting, deciding, read.approval.tenant, said);
    const permitted = 'permitted' in event && event.permitted;
    if (!permitted && !maySee(acting, read.approval)) {
      throw refusalError(REFUSED_UNSEEN[deciding], status);
    }
    const outcome = await applyEvent(records, transaction, read, event, {
      caller: acting.caller,
      requestId: acting.requestId,
      detail: { ...decisionDetail(event), ...commentDetail(said) },
    });
    if ('refused' in outcome) throw refusalError(outcome.refused, status);
    return viewOf(outcome.next);
  });
}

/** There is no such approval, or none that the caller may know of. */
export function noSuchApproval(id: string): NotFound {
  return new NotFound(`there is no approval \`${id}\``);
}

function eventOf(
  acting: Acting,
  deciding: Deciding,
  tenant: string,
  comment: string | undefined,
): ApprovalEvent {
  const by = voterIn(acting, tenant);
  if (deciding === 'approve' || deciding === 'reject') {
    return { type: 'vote', decision: deciding, by, comment };
  }
  return { type: deciding, by, permitted: acting.permits(`approvals:${deciding}`, tenant) };
}

function decisionDetail(event: ApprovalEvent): JsonObject {
  return event.type === 'vote' ? { decision: event.decision } : {};
}
