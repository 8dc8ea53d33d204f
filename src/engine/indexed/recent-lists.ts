import type { Ints } from './ints.js';
import { NONE } from './symbol-table.js';

/** A place, as long as a line of memory: the two keys, what it was held under, the count, the list. */
const WIDTH = 16;
const SECOND = 1;
const ERA = 2;
const COUNT = 3;
const FIRST = 4;
/** Beside the count: the pair's mark. */
const MARK = 0x100;

/** Eras are counted in integers of 32 bits; a place that was never held under one has 0. */
const LAST_ERA = 0x7fffffff;

/** Two places side by side, for the pairs that fall there. */
const BOTH = 2 * WIDTH;

/**
 * Short lists that were made for pairs of numbers asked for lately, in one block of memory: to read one
 * touches a line or two of it. Of the pairs for the same two places the latest two are held.
 */
export class RecentLists {
  readonly #mask: number;
  readonly #places: Int32Array;
  /** What was held under another counts no more. */
  #era = 1;

  /** @param places how many are held at most, a power of two */
  constructor(places: number) {
    this.#mask = places / 2 - 1;
    this.#places = new Int32Array(places * WIDTH);
  }

  /** Appends the list of a pair of numbers; false where it is not held. */
  copy(a: number, b: number, into: Ints): boolean {
    const places = this.#places;
    const place = this.#find(a, b);
    if (place === NONE) return false;
    const end = place + FIRST + ((places[place + COUNT] as number) & ~MARK);
    for (let at = place + FIRST; at < end; at += 1) into.push(places[at] as number);
    return true;
  }

  /** Whether a pair was marked; undefined where it is not held. */
  isMarked(a: number, b: number): boolean | undefined {
    const place = this.#find(a, b);
    return place === NONE ? undefined : ((this.#places[place + COUNT] as number) & MARK) !== 0;
  }

  /** Holds a list, unless it is too long, and a mark with it. */
  hold(a: number, b: number, list: readonly number[], isMarked: boolean): void {
    if (list.length > WIDTH - FIRST) return;
    const places = this.#places;
    const place = this.#placeOf(a, b);
    places.copyWithin(place + WIDTH, place, place + WIDTH);
    places[place] = a;
    places[place + SECOND] = b;
    places[place + ERA] = this.#era;
    places[place + COUNT] = list.length | (isMarked ? MARK : 0);
    places.set(list, place + FIRST);
  }

  /** What pairs stand for has changed. */
  forget(): void {
    if (this.#era === LAST_ERA) {
      this.#places.fill(0);
      this.#era = 0;
    }
    this.#era += 1;
  }

  /** Where a pair is held; `NONE` where it is not. */
  #find(a: number, b: number): number {
    const place = this.#placeOf(a, b);
    if (this.#isOf(place, a, b)) return place;
    return this.#isOf(place + WIDTH, a, b) ? place + WIDTH : NONE;
  }

  #isOf(place: number, a: number, b: number): boolean {
    const places = this.#places;
    return places[place] === a && places[place + SECOND] === b && places[place + ERA] === this.#era;
  }

  /** What is numbered alike stays together: the names of one tenant are neighbours. */
  #placeOf(a: number, b: number): number {
    return ((Math.imul(a, 1_021) + b) & this.#mask) * BOTH;
  }
}
