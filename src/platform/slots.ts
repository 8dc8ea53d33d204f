import { type Later, later, type Patience } from './later.js';

/** So many places, given in the order in which they are asked for. */
export class Slots {
  #free: number;
  readonly #waiting = new Set<Later<boolean>>();

  constructor(count: number) {
    this.#free = count;
  }

  /** How many wait for one. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Takes one, at once where one is free; false where none came to be while there was patience. */
  async take(patience: Patience): Promise<boolean> {
    if (this.#free > 0) {
      this.#free -= 1;
      return true;
    }
    const turn = later<boolean>();
    this.#waiting.add(turn);
    await patience.waitFor(turn.promise, false);
    // One that came in the last moment is ours all the same.
    return !this.#waiting.delete(turn);
  }

  /** Gives one back: to whoever waits longest. */
  give(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#free += 1;
      return;
    }
    this.#waiting.delete(next);
    next.resolve(true);
  }
}
