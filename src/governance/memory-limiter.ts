import { type Clock, systemClock } from '../platform/clock.js';
import { type Demand, type Limiter, NOTHING_TAKEN, type Receipt, type Taken } from './limiter.js';
import {
  answerOf,
  bucketAt,
  type BucketUse,
  firstCounted,
  receiptOf,
  SUB_BUCKETS,
  startOf,
} from './sliding-window.js';

interface Counter {
  readonly buckets: Map<number, number>;
  /** Nothing in it counts from here on. */
  deadAt: number;
}

/** Counters below this are not worth looking for dead ones. */
const SWEEP_FROM = 1_000;

/** Counts in this process: for a single server, and for the tests of bundles. */
class MemoryLimiter implements Limiter {
  readonly #clock: Clock;
  readonly #counters = new Map<string, Counter>();
  #sweepAt = SWEEP_FROM;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async take(demands: readonly Demand[]): Promise<Taken> {
    return this.#answer(demands, true);
  }

  async peek(demands: readonly Demand[]): Promise<Taken> {
    return this.#answer(demands, false);
  }

  async giveBack(receipt: Receipt): Promise<void> {
    for (const { counter, bucket } of receipt) {
      const buckets = this.#counters.get(counter)?.buckets;
      const used = buckets?.get(bucket) ?? 0;
      if (used > 1) buckets?.set(bucket, used - 1);
      else buckets?.delete(bucket);
    }
  }

  /** How many counters are held. */
  get size(): number {
    return this.#counters.size;
  }

  #answer(demands: readonly Demand[], spend: boolean): Taken {
    if (demands.length === 0) return NOTHING_TAKEN;
    const now = this.#clock.now();
    const readings = demands.map((demand) => ({ demand, uses: this.#usesOf(demand.counter) }));
    const answer = answerOf(readings, now);
    if (!answer.allowed || !spend) return { ...answer, receipt: [] };
    for (const demand of demands) this.#add(demand, now);
    this.#sweep(now);
    return { ...answer, receipt: receiptOf(demands, now) };
  }

  #usesOf(counter: string): BucketUse[] {
    return [...(this.#counters.get(counter)?.buckets ?? [])];
  }

  #add({ counter, periodMs }: Demand, now: number): void {
    const bucket = bucketAt(now, periodMs);
    let entry = this.#counters.get(counter);
    if (entry === undefined) {
      entry = { buckets: new Map(), deadAt: 0 };
      this.#counters.set(counter, entry);
    }
    const first = firstCounted(now, periodMs);
    for (const index of entry.buckets.keys()) if (index < first) entry.buckets.delete(index);
    entry.buckets.set(bucket, (entry.buckets.get(bucket) ?? 0) + 1);
    entry.deadAt = Math.max(entry.deadAt, startOf(bucket + SUB_BUCKETS + 1, periodMs));
  }

  /** Looks through all counters whenever their number has doubled: a constant cost for each taking. */
  #sweep(now: number): void {
    if (this.#counters.size < this.#sweepAt) return;
    for (const [name, { deadAt }] of this.#counters) {
      if (deadAt <= now) this.#counters.delete(name);
    }
    this.#sweepAt = Math.max(SWEEP_FROM, this.#counters.size * 2);
  }
}

/** A limiter whose counters live and end with the process. */
export function createMemoryLimiter(options: { readonly clock?: Clock } = {}): MemoryLimiter {
  return new MemoryLimiter(options.clock ?? systemClock);
}
