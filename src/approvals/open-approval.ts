import { v7 as uuidv7 } from 'uuid';
import { RevisionUnavailable } from '../errors.js';
import type { Database, DatabaseTransaction } from '../platform/database.js';
import type { Check, JsonObject } from '../vocabulary.js';
import { applyEvent, auditEvent, type Records } from './apply-event.js';
import { type Approval, viewOf } from './approval.js';
import type { OpenedApproval, Opening } from './approval-service.js';
import type { PendingOne } from './approval-store.js';
import { type ApprovalQuestion, type Binding, bindQuestion, contentDigest } from './binding.js';
import { joinTerms } from './joined-terms.js';
import { atTime } from './state-machine.js';

/**
 * Opens a request, or answers with what stands already. Looks without a lock first: most who ask
 * again find the pending request and hold nobody up.
 */
export async function openApproval(
  records: Records,
  database: Database,
  question: ApprovalQuestion,
  opening: Opening,
): Promise<OpenedApproval> {
  const binding = bindQuestion(question);
  const standing = await standingAnswer(records, database, binding);
  if (standing !== undefined) return standing;
  return database.transaction().execute(async (transaction) => {
    await records.store.takeTurn(transaction, binding);
    const opened = await standingAnswer(records, transaction, binding);
    if (opened !== undefined) return opened;
    await clearTheWay(records, transaction, question, binding, opening.revision);
    const approval = await insert(records, transaction, question, binding, opening);
    return { outcome: 'opened', approval: viewOf(approval) };
  });
}

async function standingAnswer(
  { store }: Records,
  database: Database,
  binding: Binding,
): Promise<OpenedApproval | undefined> {
  const found = await store.standing(binding, database);
  if (found.state === 'none') return undefined;
  if (found.state !== 'pending') return { outcome: 'settled', found };
  const read = await store.find(found.id, database);
  return read && { outcome: 'existing', approval: viewOf(atTime(read.approval, read.now)) };
}

/** Writes down which pending requests for the same check are over, or ask under other rules. */
async function clearTheWay(
  records: Records,
  transaction: DatabaseTransaction,
  question: ApprovalQuestion,
  binding: Binding,
  revision: number,
): Promise<void> {
  for (const pending of await records.store.lockPending(transaction, binding)) {
    const { approval, now } = pending;
    if (atTime(approval, now).status === 'expired') {
      await applyEvent(records, transaction, pending, { type: 'time' }, {});
    } else if (asksTheSame(pending, question, binding)) {
      if (approval.revision > revision) throw laggingBehind(approval.revision, revision);
      await applyEvent(records, transaction, pending, { type: 'policy_change' }, {});
    }
  }
}

/** A request that was opened under a newer policy is not for an older one to cancel. */
function laggingBehind(opened: number, here: number): RevisionUnavailable {
  return new RevisionUnavailable(
    `a request for this check was opened under revision ${opened}; this server is at ${here}`,
  );
}

/** Whether a pending request would be bound to the very same content if it were opened now. */
function asksTheSame(
  { approval, requested }: PendingOne,
  { rules, bind }: ApprovalQuestion,
  { content }: Binding,
): boolean {
  return contentDigest({ check: approval.check, requested, rules, bind }) === content;
}

async function insert(
  { store, audit }: Records,
  transaction: DatabaseTransaction,
  { check, requested, rules, bind }: ApprovalQuestion,
  binding: Binding,
  { requester, revision, requestId }: Opening,
): Promise<Approval> {
  const now = await store.now(transaction);
  const { expiresAfter, ...terms } = joinTerms(rules);
  const approval: Approval = {
    id: `apr_${uuidv7().replaceAll('-', '')}`,
    tenant: check.tenant,
    status: 'pending',
    reason: undefined,
    requester: requester.person,
    check,
    ...terms,
    openedAt: now,
    expiresAt: now + expiresAfter,
    decidedAt: undefined,
    revision,
  };
  await store.insert(transaction, approval, { requested, bind, binding });
  const detail = {
    check: asJson(requested),
    rules: rules.map(({ id }) => id),
    expires_at: new Date(approval.expiresAt).toISOString(),
  };
  await audit.write(
    transaction,
    auditEvent('opened', approval, now, { caller: requester, requestId, revision, detail }),
  );
  return approval;
}

function asJson({ tenant, subject, action, resource, context }: Check): JsonObject {
  return {
    tenant,
    subject: { ...subject },
    action: { ...action },
    resource: { ...resource },
    context,
  };
}
