import { type Clock, systemClock } from '../platform/clock.js';
import { type Demand, type Limiter, NOTHING_TAKEN, type Receipt, type Taken } from './limiter.js';
import {
  answerOf,
  bucketAt,
  firstCounted,
  type Spent,
  SUB_BUCKETS,
  type Uses,
} from './sliding-window.js';

interface Counter {
  readonly name: string;
  readonly tenant: string;
  readonly periodMs: number;
  /** The earliest sub-bucket first. */
  readonly uses: { readonly bucket: number; used: number }[];
}

const UNUSED: Uses = [];

/**
 * Counters looked at for each that is opened, to find those that no longer count: what is held stays
 * within a few times what counts, and no check waits for a look through all of it.
 */
const SWEPT_AT_ONCE = 4;

/**
 * Counts in this process: for a single server, for the tests of bundles, and for a server whose Redis is
 * away.
 */
export class MemoryLimiter implements Limiter {
  readonly #clock: Clock;
  readonly #counters = new Map<string, Counter>();
  /** Where the look through the counters has come to. */
  #sweep = this.#counters.values();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  take(demands: readonly Demand[]): Taken {
    return this.#answer(demands, true);
  }

  peek(demands: readonly Demand[]): Taken {
    return this.#answer(demands, false);
  }

  async giveBack(receipt: Receipt): Promise<void> {
    for (const { counter, bucket } of receipt) this.putBack(counter, bucket, 1);
  }

  /** Counts one in a sub-bucket, whatever the limit. */
  put(demand: Demand, bucket: number): void {
    const isNew = !this.#counters.has(demand.counter);
    addOne(this.#open(demand), bucket);
    if (isNew) this.#sweepSome(this.#clock.now(), SWEPT_AT_ONCE);
  }

  /** Puts back so many of what was taken in a sub-bucket; false where nothing was. */
  putBack(counter: string, bucket: number, units: number): boolean {
    const uses = this.#counters.get(counter)?.uses;
    const use = uses?.find((one) => one.bucket === bucket);
    if (use === undefined || use.used === 0) return false;
    use.used = Math.max(0, use.used - units);
    return true;
  }

  /** How many counters are held. */
  get size(): number {
    return this.#counters.size;
  }

  /** Whether a counter is held. */
  holds(counter: string): boolean {
    return this.#counters.has(counter);
  }

  /** What was taken from a counter, as it is now; undefined where it is not held. */
  spentOf(name: string): Spent | undefined {
    const counter = this.#counters.get(name);
    if (counter === undefined) return undefined;
    const { tenant, periodMs, uses } = counter;
    const taken = uses.filter(({ used }) => used > 0).map((use) => ({ ...use }));
    return { tenant, counter: name, periodMs, uses: taken };
  }

  /** The names of the counters held; those may be forgotten meanwhile. */
  names(): Iterable<string> {
    return this.#counters.keys();
  }

  /** Forgets a counter, and what was taken from it. */
  forget(name: string): void {
    this.#counters.delete(name);
  }

  #answer(demands: readonly Demand[], spend: boolean): Taken {
    if (demands.length === 0) return NOTHING_TAKEN;
    const now = this.#clock.now();
    const readings = demands.map((demand) => {
      const counter = this.#counters.get(demand.counter);
      return { demand, counter, uses: counter?.uses ?? UNUSED };
    });
    const taken = answerOf(readings, now, spend);
    if (!taken.allowed || !spend) return taken;
    let opened = 0;
    for (const { demand, counter } of readings) {
      if (counter === undefined) opened += 1;
      addOne(counter ?? this.#open(demand), bucketAt(now, demand.periodMs));
    }
    // Only now: what is found above, and no longer counts, counts again.
    if (opened > 0) this.#sweepSome(now, opened * SWEPT_AT_ONCE);
    return taken;
  }

  #open({ counter: name, tenant, periodMs }: Demand): Counter {
    const known = this.#counters.get(name);
    if (known !== undefined) return known;
    const made = { name, tenant, periodMs, uses: [] };
    this.#counters.set(name, made);
    return made;
  }

  #sweepSome(now: number, count: number): void {
    for (let left = count; left > 0; left -= 1) {
      const { done, value } = this.#sweep.next();
      if (done) {
        this.#sweep = this.#counters.values();
        return;
      }
      if (isOver(value, now)) this.#counters.delete(value.name);
    }
  }
}

function addOne({ uses }: Counter, bucket: number): void {
  const first = bucket - SUB_BUCKETS;
  while ((uses[0]?.bucket ?? first) < first) uses.shift();
  const last = uses.at(-1);
  if (last?.bucket === bucket) {
    last.used += 1;
    return;
  }
  // Further in where the clock was set back.
  const at = uses.findLastIndex((use) => use.bucket <= bucket);
  const use = uses[at];
  if (use?.bucket === bucket) use.used += 1;
  else uses.splice(at + 1, 0, { bucket, used: 1 });
}

/** Counters are kept so much longer than they count, in milliseconds, should the clock be set back. */
const KEPT_LONGER = 60_000;

/** Whether nothing in a counter counts any more. */
function isOver({ uses, periodMs }: Counter, now: number): boolean {
  const last = uses.at(-1);
  return last === undefined || last.bucket < firstCounted(now - KEPT_LONGER, periodMs);
}

/** A limiter whose counters live and end with the process. */
export function createMemoryLimiter(options: { readonly clock?: Clock } = {}): MemoryLimiter {
  return new MemoryLimiter(options.clock ?? systemClock);
}
