import { type Clock, systemClock } from '../platform/clock.js';
import { type Demand, type Limiter, NOTHING_TAKEN, type Receipt, type Taken } from './limiter.js';
import { answerOf, bucketAt, firstCounted, type Uses } from './sliding-window.js';

interface Counter {
  readonly name: string;
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

/** Counts in this process: for a single server, and for the tests of bundles. */
class MemoryLimiter implements Limiter {
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
    for (const { counter, bucket } of receipt) {
      const uses = this.#counters.get(counter)?.uses;
      const use = uses?.find((one) => one.bucket === bucket);
      if (use !== undefined && use.used > 0) use.used -= 1;
    }
  }

  /** How many counters are held. */
  get size(): number {
    return this.#counters.size;
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
      addOne(counter ?? this.#open(demand), now);
    }
    // Only now: what is found above, and no longer counts, counts again.
    if (opened > 0) this.#sweepSome(now, opened * SWEPT_AT_ONCE);
    return taken;
  }

  #open({ counter: name, periodMs }: Demand): Counter {
    const known = this.#counters.get(name);
    if (known !== undefined) return known;
    const made = { name, periodMs, uses: [] };
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

function addOne({ uses, periodMs }: Counter, now: number): void {
  const first = firstCounted(now, periodMs);
  while ((uses[0]?.bucket ?? first) < first) uses.shift();
  const bucket = bucketAt(now, periodMs);
  // The last one, or further in where the clock was set back.
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
