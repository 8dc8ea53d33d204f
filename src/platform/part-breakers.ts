import { Breaker, type BreakerOptions } from './breaker.js';

/** Parts that are watched at one time, at most; further ones are asked as if they answered. */
const MOST_PARTS = 10_000;

/**
 * A breaker for each part of a store that may fall silent by itself, such as a node of a cluster. A part
 * has one from its first failure until it answers in time.
 */
export class PartBreakers {
  readonly #options: BreakerOptions;
  readonly #onChange: BreakerOptions['onChange'];
  readonly #breakers = new Map<string, Breaker>();
  #open = 0;

  /** `onChange` is told when the first of them opens, and when the last that was open closes. */
  constructor(options: BreakerOptions = {}) {
    this.#onChange = options.onChange;
    this.#options = { ...options, onChange: (isOpen) => this.#changed(isOpen) };
  }

  /** Whether a call may ask this part now. */
  admits(part: string): boolean {
    return this.#breakers.get(part)?.admits() ?? true;
  }

  /** The part answered in time. */
  succeeded(part: string): void {
    const breaker = this.#breakers.get(part);
    if (breaker === undefined) return;
    breaker.succeeded();
    this.#breakers.delete(part);
  }

  /** The part did not answer in time. */
  failed(part: string): void {
    let breaker = this.#breakers.get(part);
    if (breaker === undefined) {
      if (this.#breakers.size >= MOST_PARTS) return;
      breaker = new Breaker(this.#options);
      this.#breakers.set(part, breaker);
    }
    breaker.failed();
  }

  /** The part answered, too late: the next call may find it as it was before. */
  spoke(part: string): void {
    this.#breakers.get(part)?.endPause();
  }

  #changed(isOpen: boolean): void {
    const before = this.#open;
    this.#open += isOpen ? 1 : -1;
    if (before === 0 || this.#open === 0) this.#onChange?.(isOpen);
  }
}
