import type { Database } from '../platform/database.js';
import { applyEvent, type Records } from './apply-event.js';
import type { PolicyInForce } from './approval-service.js';
import { lacksRule } from './policy-change.js';

/** Requests that are taken at a time. */
const BATCH = 200;

/** Writes down what time has ended, for what no other transaction holds. */
export async function sweepDue(
  records: Records,
  database: Database,
  limit: number,
): Promise<{ expired: number; lapsed: number }> {
  return database.transaction().execute(async (transaction) => {
    const swept = { expired: 0, lapsed: 0 };
    for (const read of await records.store.lockDue(transaction, limit)) {
      const outcome = await applyEvent(records, transaction, read, { type: 'time' }, {});
      if ('refused' in outcome) continue;
      if (outcome.next.status === 'expired') swept.expired += 1;
      else swept.lapsed += 1;
    }
    return swept;
  });
}

/** Cancels, batch by batch, the pending requests that keep what is gone or reads otherwise now. */
export async function cancelOutdated(
  records: Records,
  database: Database,
  policy: PolicyInForce,
): Promise<number> {
  let cancelled = 0;
  for (;;) {
    const held = await database.transaction().execute(async (transaction) => {
      const reads = await records.store.lockChanged(transaction, policy, BATCH);
      for (const read of reads) {
        const overdue = read.now >= read.approval.expiresAt;
        const event = { type: overdue ? 'time' : 'policy_change' } as const;
        const deed = overdue ? {} : { revision: policy.revision };
        await applyEvent(records, transaction, read, event, deed);
        if (!overdue) cancelled += 1;
      }
      return reads.length;
    });
    if (held < BATCH) return cancelled;
  }
}

/**
 * Cancels the pending requests of earlier revisions whose check needs a rule that they do not keep.
 * Looks at each of them, holding only those that it cancels.
 */
export async function cancelUncovered(
  records: Records,
  database: Database,
  policy: PolicyInForce,
): Promise<number> {
  let cancelled = 0;
  let after = '';
  for (;;) {
    const reads = await records.store.pendingBefore(policy.revision, after, BATCH, database);
    for (const { approval } of reads) {
      after = approval.id;
      if (!lacksRule(approval, policy)) continue;
      if (await cancelOne(records, database, approval.id, policy)) cancelled += 1;
    }
    if (reads.length < BATCH) return cancelled;
  }
}

/** False where it was decided, or its time ended, in the meantime. */
async function cancelOne(
  records: Records,
  database: Database,
  id: string,
  { revision }: PolicyInForce,
): Promise<boolean> {
  return database.transaction().execute(async (transaction) => {
    const read = await records.store.lock(transaction, id);
    if (read === undefined) return false;
    const event = { type: 'policy_change' } as const;
    return 'next' in (await applyEvent(records, transaction, read, event, { revision }));
  });
}
