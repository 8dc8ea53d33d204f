import type { Database } from '../platform/database.js';
import { makePartition, partitionedMonths } from './event-store.js';

/** Partitions are there for this month and for so many after it. */
const MONTHS_AHEAD = 2;

/** The month of an instant in UTC, as `2026-11`; partitions begin and end with it. */
export function monthOf(at: number): string {
  return new Date(at).toISOString().slice(0, 7);
}

/**
 * Makes the partitions for the month of `now` (milliseconds) and the next two where they are
 * missing. Safe when several servers do it at once, and at any time: until it has succeeded, events
 * go to the default partition, and are moved when their month's is made.
 */
export async function ensureAuditPartitions(database: Database, now: number): Promise<void> {
  const there = await partitionedMonths(database);
  const first = new Date(now);
  for (let ahead = 0; ahead <= MONTHS_AHEAD; ahead++) {
    const from = startOfMonth(first, ahead);
    if (there.has(monthOf(from.getTime()))) continue;
    await makePartition(database, from, startOfMonth(first, ahead + 1));
  }
}

function startOfMonth(base: Date, offset: number): Date {
  return new Date(Date.UTC(base.getUTCFullYear(), base.getUTCMonth() + offset, 1));
}
