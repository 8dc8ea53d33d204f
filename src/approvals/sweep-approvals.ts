import type { Database } from '../platform/database.js';
import { applyEvent, type Records } from './apply-event.js';
import type { PolicyInForce } from './approval-service.js';

/** Requests that one transaction of `cancelChanged` cancels at most. */
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

/** Cancels, batch by batch, the pending requests that the policy has changed under. */
export async function cancelChanged(
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
