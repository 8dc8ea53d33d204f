import { setImmediate as nextTurn } from 'node:timers/promises';
import { batchRow, rowOf, runLength, type StoredRow } from './audit-row.js';
import type { RecordedEvent } from './event.js';

/** Milliseconds of work between two turns of the event loop. */
const SLICE = 4;

/**
 * The rows that the events are stored in, in their order. Lets others have their turn in between:
 * checks are answered meanwhile.
 */
export async function encodeRows(events: readonly RecordedEvent[]): Promise<StoredRow[]> {
  const rows: StoredRow[] = [];
  let sliceEnd = performance.now() + SLICE;
  for (const row of eachRow(events)) {
    rows.push(row);
    if (performance.now() < sliceEnd) continue;
    await nextTurn();
    sliceEnd = performance.now() + SLICE;
  }
  return rows;
}

/** The same in one turn, for a few. */
export function encodeRowsNow(events: readonly RecordedEvent[]): StoredRow[] {
  return [...eachRow(events)];
}

function* eachRow(events: readonly RecordedEvent[]): Generator<StoredRow> {
  for (let start = 0; start < events.length; ) {
    const [first, length] = [events[start], runLength(events, start)];
    if (first !== undefined) {
      yield length === 1 ? rowOf(first) : batchRow(events.slice(start, start + length));
    }
    start += length;
  }
}
