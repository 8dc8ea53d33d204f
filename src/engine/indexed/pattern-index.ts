import type { NamedFunction } from '../named-functions.js';
import { Ints } from './ints.js';
import { literalPrefix } from './literal-prefix.js';
import type { SymbolTable } from './symbol-table.js';
import { PrefixBuckets, ValueCounts, type ValueIndex } from './value-index.js';

/**
 * The values of a column as the patterns of a named function: each distinct one compiled once, and
 * tried only on texts that begin as it does.
 */
export class PatternIndex implements ValueIndex {
  readonly #symbols: SymbolTable;
  readonly #name: string;
  readonly #function: NamedFunction;
  readonly #counts = new ValueCounts();
  readonly #buckets: PrefixBuckets;
  readonly #compiled = new Map<number, (text: string) => unknown>();
  readonly #candidates = new Ints();

  /** @param name the function's name */
  constructor(symbols: SymbolTable, name: string, named: NamedFunction) {
    this.#symbols = symbols;
    this.#name = name;
    this.#function = named;
    this.#buckets = new PrefixBuckets(symbols);
  }

  /** The value must be a pattern of the function. */
  learn(symbol: number): void {
    if (!this.#counts.add(symbol)) return;
    const pattern = this.#symbols.text(symbol);
    this.#buckets.add(literalPrefix(this.#name, pattern), symbol);
    this.#compiled.set(symbol, this.#function.compile(pattern));
  }

  forget(symbol: number): void {
    if (!this.#counts.remove(symbol)) return;
    this.#buckets.remove(literalPrefix(this.#name, this.#symbols.text(symbol)), symbol);
    this.#compiled.delete(symbol);
  }

  /** Appends the patterns that `text` matches. */
  collect(text: string, into: Ints): void {
    this.#candidates.clear();
    this.#buckets.collect(text, this.#candidates);
    for (let index = 0; index < this.#candidates.length; index += 1) {
      const symbol = this.#candidates.at(index);
      if (this.#compiled.get(symbol)?.(text)) into.push(symbol);
    }
  }
}
