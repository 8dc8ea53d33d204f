import { NONE } from './symbol-table.js';

/**
 * What was made for numbers that were asked for lately: two of which one would take the other's place
 * are not both held. Nothing to look through, to grow or to put in order.
 */
export class Recent<Value> {
  readonly #keys: Int32Array;
  readonly #values: (Value | undefined)[];
  readonly #make: (key: number) => Value;
  #isEmpty = true;

  /**
   * @param places how many are held at most, a power of two
   * @param make what a number, 0 or greater, stands for
   */
  constructor(places: number, make: (key: number) => Value) {
    this.#keys = new Int32Array(places).fill(NONE);
    this.#values = Array.from({ length: places }, () => undefined);
    this.#make = make;
  }

  get(key: number): Value {
    const place = key & (this.#keys.length - 1);
    const held = this.#keys[place] === key ? this.#values[place] : undefined;
    if (held !== undefined) return held;
    const made = this.#make(key);
    this.#keys[place] = key;
    this.#values[place] = made;
    this.#isEmpty = false;
    return made;
  }

  /** What numbers stand for has changed. */
  forget(): void {
    if (!this.#isEmpty) this.#keys.fill(NONE);
    this.#isEmpty = true;
  }
}
