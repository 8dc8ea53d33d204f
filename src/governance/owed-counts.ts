import { Unavailable } from '../errors.js';
import type { Clock } from '../platform/clock.js';
import { isUndone } from '../platform/store-failure.js';
import type { Demand, Receipt, Taken } from './limiter.js';
import { MemoryLimiter } from './memory-limiter.js';
import type { SharedLimiter } from './redis-limiter.js';
import type { Spent } from './sliding-window.js';

/** Counters that a server counts by itself at most: of others there are no more checks. */
const MOST_COUNTERS = 100_000;

/** Units to give back that are remembered at most; what is forgotten stays counted. */
const MOST_TO_GIVE_BACK = 10_000;

/** Counters that are told in one go, so that checks come in between. */
const TOLD_AT_ONCE = 200;

/**
 * What a server takes by itself while the store that all servers count in is away, and owes to that: each
 * unit in its sub-bucket, until the store has confirmed it. In doubt something is counted twice, never
 * not at all: units are told until they are confirmed, and given back once.
 */
export class OwedCounts {
  readonly #shared: SharedLimiter;
  readonly #mostCounters: number;
  /** Taken since the store was last heard. */
  readonly #taken: MemoryLimiter;
  /** What of that the store does not know yet. */
  readonly #owed: MemoryLimiter;
  /** By counter: until the store has confirmed, or failed to. */
  readonly #telling = new Map<string, Promise<void>>();
  #toGiveBack: Receipt[number][] = [];
  #isTellingAll = false;

  /** `clock` has the time of the store. */
  constructor(shared: SharedLimiter, clock: Clock, mostCounters = MOST_COUNTERS) {
    this.#shared = shared;
    this.#mostCounters = mostCounters;
    this.#taken = new MemoryLimiter(clock);
    this.#owed = new MemoryLimiter(clock);
  }

  /**
   * Takes from the shares of this server, and owes it. Throws `Unavailable` where there are too many
   * counters already.
   */
  take(shares: readonly Demand[]): Taken {
    const isFull = this.#owed.size >= this.#mostCounters;
    if (isFull && shares.some(({ counter }) => !this.#owed.holds(counter))) {
      throw new Unavailable('too many rate limits are counted without Redis; try again');
    }
    const taken = this.#taken.take(shares);
    taken.receipt.forEach(({ bucket }, index) => {
      const share = shares[index];
      if (share !== undefined) this.#owed.put(share, bucket);
    });
    return taken;
  }

  /** What `take` would answer now. */
  peek(shares: readonly Demand[]): Taken {
    return this.#taken.peek(shares);
  }

  /** Takes from the shares what the store itself counts: nothing is owed. */
  reserve(shares: readonly Demand[]): Taken {
    return this.#taken.take(shares);
  }

  /** Puts back what was reserved. */
  release({ receipt }: Taken): void {
    for (const { counter, bucket } of receipt) this.#taken.putBack(counter, bucket, 1);
  }

  /** The store has said what is in a counter: what it was told is in that. */
  forget(counter: string): void {
    if (!this.#owed.holds(counter)) this.#taken.forget(counter);
  }

  /** Tells the store what it is owed of these counters; undefined where that is nothing. */
  tell(demands: readonly Demand[]): Promise<unknown> | undefined {
    if (this.#owed.size === 0) return undefined;
    const owed = demands.filter(({ counter }) => this.#owed.holds(counter));
    const telling = owed.flatMap(({ counter }) => this.#telling.get(counter) ?? []);
    const untold = owed.filter(({ counter }) => !this.#telling.has(counter));
    if (untold.length > 0) telling.push(this.#send(this.#spentOf(untold.map(nameOf))));
    return telling.length === 0 ? undefined : Promise.all(telling);
  }

  /** Tells the store everything that it is owed, some at a time; never rejects. What fails stays owed. */
  async tellAll(): Promise<void> {
    if (this.#isTellingAll || (this.#owed.size === 0 && this.#toGiveBack.length === 0)) return;
    this.#isTellingAll = true;
    try {
      while (this.#toGiveBack.length > 0) {
        await this.#putBackThere(this.#toGiveBack.splice(0, TOLD_AT_ONCE));
      }
      for (const counters of someOf(this.#owed.names(), TOLD_AT_ONCE)) {
        const untold = counters.filter((counter) => !this.#telling.has(counter));
        await Promise.all(byTenant(this.#spentOf(untold)).map((spent) => this.#send(spent)));
      }
    } catch {
      // The next answer of the store begins it anew.
    } finally {
      this.#isTellingAll = false;
    }
  }

  /** Puts units back where they are: here, or in the store, also later where that is away. */
  async giveBack(receipt: Receipt): Promise<void> {
    // What is being told is here or there, and known to be only afterwards.
    await Promise.allSettled(receipt.flatMap(({ counter }) => this.#telling.get(counter) ?? []));
    const there = receipt.filter(({ counter, bucket }) => {
      this.#taken.putBack(counter, bucket, 1);
      return !this.#putBackOwed(counter, bucket, 1);
    });
    await this.#putBackThere(there);
  }

  /** What the store certainly did not do is remembered; of anything else nobody knows, and it stays. */
  async #putBackThere(entries: readonly Receipt[number][]): Promise<void> {
    const told = byTenant(entries).map(async (some) => {
      try {
        await this.#shared.giveBack(some);
      } catch (error) {
        const room = MOST_TO_GIVE_BACK - this.#toGiveBack.length;
        if (isUndone(error)) this.#toGiveBack.push(...some.slice(0, room));
        throw error;
      }
    });
    await Promise.all(told);
  }

  /** As it is now. */
  #spentOf(counters: readonly string[]): readonly Spent[] {
    return counters.flatMap((counter) => this.#owed.spentOf(counter) ?? []);
  }

  /** Of one tenant. */
  #send(spent: readonly Spent[]): Promise<void> {
    const telling = this.#shared
      .add(spent.filter(({ uses }) => uses.length > 0))
      .then(() => spent.forEach((one) => this.#confirm(one)))
      .finally(() => spent.forEach(({ counter }) => this.#telling.delete(counter)));
    for (const { counter } of spent) this.#telling.set(counter, telling);
    telling.catch(() => undefined);
    return telling;
  }

  #confirm({ counter, uses }: Spent): void {
    for (const { bucket, used } of uses) this.#putBackOwed(counter, bucket, used);
    if (uses.length === 0) this.#owed.forget(counter);
  }

  #putBackOwed(counter: string, bucket: number, units: number): boolean {
    const wasOwed = this.#owed.putBack(counter, bucket, units);
    if (wasOwed && this.#owed.spentOf(counter)?.uses.length === 0) this.#owed.forget(counter);
    return wasOwed;
  }
}

function nameOf({ counter }: Demand): string {
  return counter;
}

/** So many at a time. */
function* someOf<Value>(values: Iterable<Value>, count: number): Generator<readonly Value[]> {
  let some: Value[] = [];
  for (const value of values) {
    some.push(value);
    if (some.length < count) continue;
    yield some;
    some = [];
  }
  if (some.length > 0) yield some;
}

/** Keys of two tenants may be on two nodes of a cluster. */
function byTenant<Entry extends { readonly tenant: string }>(
  entries: readonly Entry[],
): readonly (readonly Entry[])[] {
  const groups = new Map<string, Entry[]>();
  for (const entry of entries) {
    const group = groups.get(entry.tenant);
    if (group === undefined) groups.set(entry.tenant, [entry]);
    else group.push(entry);
  }
  return [...groups.values()];
}
