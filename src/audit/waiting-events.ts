import type { Unavailable } from '../errors.js';
import type { StoredRow } from './audit-row.js';
import { encodeRows, encodeRowsNow } from './encode-rows.js';
import type { RecordedEvent } from './event.js';

/**
 * Events that become rows together, where nobody waits for them: as soon as there are so many, while
 * what they were made of is young. A row is a few texts; an event is dozens of objects, which the
 * collector of garbage would copy until they are sent.
 */
const PORTION = 100;

/** Events that were added one after another: where somebody waits for one, that one alone. */
export interface Entry {
  /** Empty once they are rows. */
  events: RecordedEvent[];
  rows: readonly StoredRow[] | undefined;
  /** How many events it holds. */
  count: number;
  weight: number;
  readonly committed?: () => void;
  readonly refused?: (error: Unavailable) => void;
  /** Nobody waits any more: the caller was told that the event was not kept. */
  abandoned: boolean;
}

/** How much is taken at a time. */
export interface TakeLimits {
  /** Events at most; a portion may be more. */
  readonly batch: number;
  /** Characters, about. */
  readonly batchCharacters: number;
}

/** Entries with how many events they hold, and how much they weigh. */
export interface Taken {
  readonly entries: readonly Entry[];
  readonly count: number;
  readonly weight: number;
}

/** Events in the order in which they came, that nobody has begun to send. */
export class WaitingEvents {
  readonly #limits: TakeLimits;
  #entries: Entry[] = [];
  #count = 0;

  constructor(limits: TakeLimits) {
    this.#limits = limits;
  }

  /** How many events wait. */
  get count(): number {
    return this.#count;
  }

  /** Adds an event for which nobody waits. */
  add(recorded: RecordedEvent, weight: number): void {
    let entry = this.#entries.at(-1);
    if (entry === undefined || entry.rows !== undefined) {
      entry = { events: [], rows: undefined, count: 0, weight: 0, abandoned: false };
      this.#entries.push(entry);
    }
    entry.events.push(recorded);
    entry.count += 1;
    entry.weight += weight;
    this.#count += 1;
    if (entry.count < PORTION && entry.weight < this.#limits.batchCharacters) return;
    entry.rows = encodeRowsNow(entry.events);
    entry.events = [];
  }

  /** Adds an event for which somebody waits. */
  addAwaited(
    recorded: RecordedEvent,
    weight: number,
    settled: Pick<Entry, 'committed' | 'refused'>,
  ): Entry {
    const entry = {
      events: [recorded],
      rows: undefined,
      count: 1,
      weight,
      abandoned: false,
      ...settled,
    };
    this.#entries.push(entry);
    this.#count += 1;
    return entry;
  }

  /** Takes the first ones, as many as may be sent together. */
  take(): Taken {
    const { batch, batchCharacters } = this.#limits;
    let [length, count, weight] = [0, 0, 0];
    for (const entry of this.#entries) {
      const [more, heavier] = [count + entry.count, weight + entry.weight];
      if (length > 0 && (more > batch || heavier > batchCharacters)) break;
      [length, count, weight] = [length + 1, more, heavier];
    }
    this.#count -= count;
    return { entries: this.#entries.splice(0, length), count, weight };
  }

  /** Takes those out for which nobody waits any more. */
  takeAbandoned(): Taken {
    const entries = this.#entries.filter(({ abandoned }) => abandoned);
    if (entries.length > 0) this.#entries = this.#entries.filter(({ abandoned }) => !abandoned);
    this.#count -= entries.length;
    const weight = entries.reduce((sum, entry) => sum + entry.weight, 0);
    return { entries, count: entries.length, weight };
  }
}

/** The rows of entries, in their order: events that one batch of checks decided share a row. */
export async function rowsOf(entries: readonly Entry[]): Promise<readonly StoredRow[]> {
  const rows: StoredRow[] = [];
  let events: RecordedEvent[] = [];
  for (const entry of entries) {
    if (entry.rows === undefined) {
      events.push(...entry.events);
      continue;
    }
    rows.push(...(await encodeRows(events)), ...entry.rows);
    events = [];
  }
  rows.push(...(await encodeRows(events)));
  return rows;
}
