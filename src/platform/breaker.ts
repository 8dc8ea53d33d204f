import type { Clock } from './clock.js';

/** Failures in a row after which a store is no longer asked. */
const FAILURES = 5;

/** Milliseconds that a store is not asked, before one call tries it again. */
const PAUSE = 1_000;

/** A clock that nobody sets: times of the breaker are distances. */
const steadyClock: Clock = { now: () => performance.now() };

/** How a breaker behaves; the defaults suit the decision path. */
export interface BreakerOptions {
  /** Failures in a row that open it; 5 unless given. */
  readonly failures?: number;
  /** Milliseconds that it stays open; 1,000 unless given. Longer than a call may take. */
  readonly pause?: number;
  /** A clock that is never set back, unless given. */
  readonly clock?: Clock;
  /** Told when it opens, and when the store answers again; not of probes that fail. */
  onChange?(isOpen: boolean): void;
}

/**
 * Spares a store that does not answer, and those who would wait for it. Closed, it admits everybody;
 * after a few failures in a row it is open and admits nobody for a while; then it is half open and
 * admits one call, whose outcome closes it or opens it again.
 *
 * Whoever was admitted reports how it went. A probe that reports nothing is followed by another one
 * after the same while.
 */
export class Breaker {
  readonly #failures: number;
  readonly #pause: number;
  readonly #clock: Clock;
  readonly #onChange: BreakerOptions['onChange'];
  #inARow = 0;
  /** When it opened, or last let a probe through. */
  #since = 0;

  constructor(options: BreakerOptions = {}) {
    this.#failures = options.failures ?? FAILURES;
    this.#pause = options.pause ?? PAUSE;
    this.#clock = options.clock ?? steadyClock;
    this.#onChange = options.onChange;
  }

  /** Whether the store counts as away: the breaker is open or half open. */
  get isOpen(): boolean {
    return this.#inARow >= this.#failures;
  }

  /** Whether a call may ask the store now. */
  admits(): boolean {
    if (!this.isOpen) return true;
    const now = this.#clock.now();
    if (now - this.#since < this.#pause) return false;
    this.#since = now;
    return true;
  }

  /** The store answered, whatever it said. */
  succeeded(): void {
    const wasOpen = this.isOpen;
    this.#inARow = 0;
    if (wasOpen) this.#onChange?.(false);
  }

  /** The store did not answer in time, or could not be reached. */
  failed(): void {
    const wasOpen = this.isOpen;
    this.#inARow += 1;
    if (!this.isOpen) return;
    this.#since = this.#clock.now();
    if (!wasOpen) this.#onChange?.(true);
  }
}
