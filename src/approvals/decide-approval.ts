import { CountersignError, NotFound } from '../errors.js';
import type { Database, DatabaseTransaction } from '../platform/database.js';
import type { JsonObject } from '../vocabulary.js';
import { applyEvent, type Records } from './apply-event.js';
import { type ApprovalView, viewOf } from './approval.js';
import type { Acting, PolicyInForce } from './approval-service.js';
import type { Read } from './approval-store.js';
import { commentDetail, parseComment } from './comment.js';
import { asItStands, isOvertaken } from './policy-change.js';
import { refusalError } from './refusal-error.js';
import { maySee, reaches, voterIn } from './sight.js';
import type { ApprovalEvent, Refusal } from './state-machine.js';

/** What a caller can do to an approval. */
export type Deciding = 'approve' | 'reject' | 'cancel' | 'revoke';

/** What who may not know of an approval is told: no more than that they cannot do this. */
const REFUSED_UNSEEN: Record<Deciding, Refusal> = {
  approve: 'not_an_approver',
  reject: 'not_an_approver',
  cancel: 'not_theirs',
  revoke: 'not_an_approver',
};

/** What a decision is made with besides the records. */
export interface Deciders {
  readonly records: Records;
  readonly database: Database;
  /** The policy at the moment of the call; undefined where none was given. */
  readonly policyInForce: () => PolicyInForce | undefined;
}

/**
 * Does what the caller asks to an approval, while holding it. Another tenant's does not exist; one
 * that the caller has nothing to do with refuses without telling how it stands. One that the policy
 * has changed under is cancelled, which stays although the caller is refused.
 */
export async function decideApproval(
  { records, database, policyInForce }: Deciders,
  acting: Acting,
  deciding: Deciding,
  id: string,
  comment: unknown,
): Promise<ApprovalView> {
  const said = parseComment(comment);
  const answer = await database.transaction().execute(async (transaction) => {
    const found = await records.store.lock(transaction, id);
    if (found === undefined || !reaches(acting, found.approval.tenant)) throw noSuchApproval(id);
    const policy = policyInForce();
    const event = eventOf(acting, deciding, found.approval.tenant, said);
    const permitted = 'permitted' in event && event.permitted;
    if (!permitted && !maySee(acting, found.approval)) {
      throw refusalError(REFUSED_UNSEEN[deciding], asItStands(found, policy));
    }
    const read = await cancelOvertaken(records, transaction, found, policy, acting);
    const outcome = await applyEvent(records, transaction, read, event, {
      caller: acting.caller,
      requestId: acting.requestId,
      detail: { ...decisionDetail(event), ...commentDetail(said) },
    });
    // Handed out, not thrown: what was cancelled just now is to be committed.
    if ('refused' in outcome) return refusalError(outcome.refused, asItStands(read, policy));
    return viewOf(outcome.next);
  });
  if (answer instanceof CountersignError) throw answer;
  return answer;
}

/** The approval that the transaction holds, cancelled first where the policy has changed under it. */
async function cancelOvertaken(
  records: Records,
  transaction: DatabaseTransaction,
  read: Read,
  policy: PolicyInForce | undefined,
  { requestId }: Acting,
): Promise<Read> {
  if (policy === undefined || read.approval.status !== 'pending' || !isOvertaken(read, policy)) {
    return read;
  }
  const deed = { requestId, revision: policy.revision };
  const outcome = await applyEvent(records, transaction, read, { type: 'policy_change' }, deed);
  return 'refused' in outcome ? read : { ...read, approval: outcome.next };
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
