import { Ints } from './ints.js';
import { PairTable } from './pair-table.js';
import { emptyHash, hashWith, NONE, type SymbolTable } from './symbol-table.js';

/** Knows the distinct values of a column, and finds those that fit a value of a request. */
export interface ValueIndex {
  /** Takes a value of a rule that was added. */
  learn(symbol: number): void;
  /** Takes a value of a rule that was removed. */
  forget(symbol: number): void;
}

/** How many rules hold each value, so that the first and the last of them can be told. */
export class ValueCounts {
  readonly #counts = new PairTable();

  /** Whether the value is new. */
  add(symbol: number): boolean {
    return this.#change(symbol, 1) === 1;
  }

  /** Whether the value is gone. */
  remove(symbol: number): boolean {
    return this.#change(symbol, -1) === 0;
  }

  #change(symbol: number, by: number): number {
    const count = Math.max(this.#counts.get(symbol, 0), 0) + by;
    this.#counts.set(symbol, 0, count);
    return count;
  }
}

/** Values by a text that whatever fits them begins with. */
export class PrefixBuckets {
  readonly #symbols: SymbolTable;
  /** By prefix and 0 the first value of its bucket; by value and 1 the next of the same bucket. */
  readonly #links = new PairTable();
  /** How many values there are whose prefix has this length. */
  readonly #lengths = new Ints();

  constructor(symbols: SymbolTable) {
    this.#symbols = symbols;
  }

  add(prefix: string, value: number): void {
    const bucket = this.#symbols.intern(prefix);
    this.#links.set(value, NEXT, this.#links.get(bucket, FIRST));
    this.#links.set(bucket, FIRST, value);
    while (this.#lengths.length <= prefix.length) this.#lengths.push(0);
    this.#lengths.set(prefix.length, this.#lengths.at(prefix.length) + 1);
  }

  remove(prefix: string, value: number): void {
    const bucket = this.#symbols.find(prefix);
    const next = this.#links.get(value, NEXT);
    let [holder, link] = [bucket, FIRST];
    for (let at = this.#links.get(bucket, FIRST); at !== value; ) {
      if (at === NONE) return;
      [holder, link] = [at, NEXT];
      at = this.#links.get(at, NEXT);
    }
    this.#links.set(holder, link, next);
    this.#lengths.set(prefix.length, this.#lengths.at(prefix.length) - 1);
  }

  /** Appends the values whose prefix `text` begins with. */
  collect(text: string, into: Ints): void {
    let hash = emptyHash;
    const end = Math.min(text.length, this.#lengths.length - 1);
    for (let length = 0; length <= end; length += 1) {
      if (this.#lengths.at(length) > 0) this.#take(text, length, hash, into);
      hash = hashWith(hash, text.charCodeAt(length));
    }
  }

  #take(text: string, length: number, hash: number, into: Ints): void {
    const bucket = this.#symbols.findPrefix(text, length, hash);
    if (bucket === NONE) return;
    for (
      let value = this.#links.get(bucket, FIRST);
      value !== NONE;
      value = this.#links.get(value, NEXT)
    ) {
      into.push(value);
    }
  }
}

const FIRST = 0;
const NEXT = 1;
