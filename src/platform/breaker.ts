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
  /** Milliseconds between the first of them and the last, at least; 0 unless given. */
  readonly spell?: number;
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
  readonly #spell: number;
  readonly #pause: number;
  readonly #clock: Clock;
  readonly #onChange: BreakerOptions['onChange'];
  #isOpen = false;
  #inARow = 0;
  /** When the first of the failures in a row was. */
  #firstAt = 0;
  /** When it opened, or last let a probe through. */
  #since = 0;

  constructor(options: BreakerOptions = {}) {
    this.#failures = options.failures ?? FAILURES;
    this.#spell = options.spell ?? 0;
    this.#pause = options.pause ?? PAUSE;
    this.#clock = options.clock ?? steadyClock;
    this.#onChange = options.onChange;
  }

  /** Whether the store counts as away: the breaker is open or half open. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Whether a call may ask the store now. */
  admits(): boolean {
    if (!this.#isOpen) return true;
    const now = this.#clock.now();
    if (now - this.#since < this.#pause) return false;
    this.#since = now;
    return true;
  }

  /** The store answered, whatever it said. */
  succeeded(): void {
    this.#inARow = 0;
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#onChange?.(false);
  }

  /** There is a sign that the store answers again: the next call may try it, whatever the pause. */
  endPause(): void {
    this.#since = Number.NEGATIVE_INFINITY;
  }

  /** The store did not answer in time, or could not be reached. */
  failed(): void {
    const now = this.#clock.now();
    if (this.#inARow === 0) this.#firstAt = now;
    this.#inARow += 1;
    if (this.#isOpen) {
      this.#since = now;
    } else if (this.#inARow >= this.#failures && now - this.#firstAt >= this.#spell) {
      [this.#isOpen, this.#since] = [true, now];
      this.#onChange?.(true);
    }
  }
}
