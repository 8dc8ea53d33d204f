import type { Ints } from './ints.js';
import { NONE, type SymbolTable } from './symbol-table.js';
import { PrefixBuckets, ValueCounts, type ValueIndex } from './value-index.js';

/**
 * The values of a column as `keyMatch` reads them: with a `*`, whatever begins with what stands before
 * it; without, the value itself.
 */
export class KeyMatchIndex implements ValueIndex {
  readonly #symbols: SymbolTable;
  readonly #counts = new ValueCounts();
  readonly #buckets: PrefixBuckets;

  constructor(symbols: SymbolTable) {
    this.#symbols = symbols;
    this.#buckets = new PrefixBuckets(symbols);
  }

  learn(symbol: number): void {
    const text = this.#symbols.text(symbol);
    const star = text.indexOf('*');
    if (star !== -1 && this.#counts.add(symbol)) this.#buckets.add(text.slice(0, star), symbol);
  }

  forget(symbol: number): void {
    const text = this.#symbols.text(symbol);
    const star = text.indexOf('*');
    if (star !== -1 && this.#counts.remove(symbol)) {
      this.#buckets.remove(text.slice(0, star), symbol);
    }
  }

  /** Appends the values that `keyMatch` finds `key` to fit, and gives the symbol of `key`. */
  collect(key: string, into: Ints): number {
    const hash = this.#buckets.collect(key, into);
    const same = this.#symbols.findPrefix(key, key.length, hash);
    // A value with a `*` is never compared whole: it was found by what stands before it.
    if (same !== NONE && !key.includes('*')) into.push(same);
    return same;
  }
}
