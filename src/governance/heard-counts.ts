import type { Clock } from '../platform/clock.js';
import type { Demand } from './limiter.js';
import { type Uses, usedIn } from './sliding-window.js';

/** Counters that are remembered, those that were heard of last: 25 MB where each has all sub-buckets. */
const REMEMBERED = 10_000;

/** Milliseconds within which an answer tells what time it is. */
const PROMPT = 50;

/**
 * What a server last heard from the store that all servers count in: what was taken, and what time it
 * is. It goes by this while the store is away.
 */
export class HeardCounts implements Clock {
  readonly #clock: Clock;
  readonly #remembered: number;
  /** The one that was heard of longest ago first. */
  readonly #uses = new Map<string, Uses>();
  /** Milliseconds by which the store's clock is ahead of this process's. */
  #ahead = 0;

  constructor(clock: Clock, remembered = REMEMBERED) {
    this.#clock = clock;
    this.#remembered = remembered;
  }

  /** The time as the store has it. */
  now(): number {
    return this.#clock.now() + this.#ahead;
  }

  /** Takes in what the store said of a counter. */
  remember(counter: string, uses: Uses): void {
    this.#uses.delete(counter);
    this.#uses.set(counter, uses);
    if (this.#uses.size <= this.#remembered) return;
    for (const oldest of this.#uses.keys()) {
      this.#uses.delete(oldest);
      return;
    }
  }

  /** Takes in what time it was there, by an answer that took so many milliseconds. */
  setTime(now: number, took: number): void {
    // One that was long on its way tells an old time.
    if (took <= PROMPT) this.#ahead = now - this.#clock.now();
  }

  /** How much of a limit was left in the window that ends now, by what was heard; all, where nothing was. */
  leftOf({ counter, periodMs, count }: Demand): number {
    return Math.max(0, count - usedIn(this.#uses.get(counter) ?? [], this.now(), periodMs));
  }
}
