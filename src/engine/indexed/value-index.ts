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
  /**
   * For each length a bit for each unit that a prefix of it ends in, several units to a bit: most
   * prefixes end in a `/` or a `:`, and a text has few of those.
   */
  readonly #ends = new Ints();

  constructor(symbols: SymbolTable) {
    this.#symbols = symbols;
  }

  add(prefix: string, value: number): void {
    const bucket = this.#symbols.intern(prefix);
    this.#links.set(value, NEXT, this.#links.get(bucket, FIRST));
    this.#links.set(bucket, FIRST, value);
    const { length } = prefix;
    while (this.#lengths.length <= length) {
      this.#lengths.push(0);
      this.#ends.push(0);
    }
    this.#lengths.set(length, this.#lengths.at(length) + 1);
    this.#ends.set(length, this.#ends.at(length) | endOf(prefix));
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
    const left = this.#lengths.at(prefix.length) - 1;
    this.#lengths.set(prefix.length, left);
    if (left === 0) this.#ends.set(prefix.length, 0);
  }

  /** Appends the values whose prefix `text` begins with, and gives the hash of the whole text. */
  collect(text: string, into: Ints): number {
    const ends = this.#ends;
    const longest = Math.min(text.length, ends.length - 1);
    let hash = emptyHash;
    if (longest >= 0 && ends.at(0) !== 0) this.#take(text, 0, hash, into);
    for (let length = 1; length <= longest; length += 1) {
      const unit = text.charCodeAt(length - 1);
      hash = hashWith(hash, unit);
      if ((ends.at(length) & bitOf(unit)) !== 0) this.#take(text, length, hash, into);
    }
    for (let at = Math.max(longest, 0); at < text.length; at += 1) {
      hash = hashWith(hash, text.charCodeAt(at));
    }
    return hash;
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

/** The bit of the unit that a prefix ends in; of one without units, any. */
function endOf(prefix: string): number {
  return prefix === '' ? 1 : bitOf(prefix.charCodeAt(prefix.length - 1));
}

function bitOf(unit: number): number {
  return 1 << (unit & 31);
}
