import { setImmediate as nextTurn } from 'node:timers/promises';
import { type AuditRow, batchRow, rowOf, runLength } from './audit-row.js';
import type { RecordedEvent } from './event.js';

/** Milliseconds of work between two turns of the event loop. */
const SLICE = 4;

/**
 * The rows that the events are stored in, in their order. Lets others have their turn in between:
 * checks are answered meanwhile.
 */
export async function encodeRows(events: readonly RecordedEvent[]): Promise<AuditRow[]> {
  const rows: AuditRow[] = [];
  let sliceEnd = performance.now() + SLICE;
  for (let start = 0; start < events.length; ) {
    const [first, length] = [events[start], runLength(events, start)];
    if (first !== undefined) {
      rows.push(length === 1 ? rowOf(first) : batchRow(events.slice(start, start + length)));
    }
    start += length;
    if (performance.now() < sliceEnd) continue;
    await nextTurn();
    sliceEnd = performance.now() + SLICE;
  }
  return rows;
}
