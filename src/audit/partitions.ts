import type { Database } from '../platform/database.js';
import { makePartitions, type Month, monthsWithoutPartition } from './event-store.js';

/** Partitions are there for this month and for so many after it. */
const MONTHS_AHEAD = 2;

/** The month of an instant in UTC, as `2026-11`; partitions begin and end with it. */
export function monthOf(at: number): string {
  return new Date(at).toISOString().slice(0, 7);
}

/**
 * Makes the partitions for the month of `now` (milliseconds) and the next two where they are
 * missing. Safe when several servers do it at once, and at any time: until it has succeeded, events
 * go to the default partition, and are moved when their month's is made. Throws where the table is
 * busy; trying again later is enough.
 */
export async function ensureAuditPartitions(database: Database, now: number): Promise<void> {
  const base = new Date(now);
  const months = Array.from({ length: MONTHS_AHEAD + 1 }, (_, ahead) => monthAfter(base, ahead));
  const missing = await monthsWithoutPartition(database, months);
  if (missing.length > 0) await makePartitions(database, missing);
}

function monthAfter(base: Date, months: number): Month {
  const start = (offset: number) =>
    new Date(Date.UTC(base.getUTCFullYear(), base.getUTCMonth() + offset, 1));
  return { from: start(months), to: start(months + 1) };
}
