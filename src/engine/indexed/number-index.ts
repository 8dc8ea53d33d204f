import type { Ints } from './ints.js';
import type { SymbolTable } from './symbol-table.js';
import type { ValueIndex } from './value-index.js';
import { ValueCounts } from './value-index.js';

const SHARDS = 256;

/** The values of a column that look like numbers: JavaScript's `==` compares a number with those. */
export class NumberIndex implements ValueIndex {
  readonly #symbols: SymbolTable;
  readonly #counts = new ValueCounts();
  /** Several maps, because growing one large one would hold the event loop for long. */
  readonly #shards: Map<number, Set<number>>[] = Array.from({ length: SHARDS }, () => new Map());

  constructor(symbols: SymbolTable) {
    this.#symbols = symbols;
  }

  learn(symbol: number): void {
    const number = Number(this.#symbols.text(symbol));
    if (Number.isNaN(number) || !this.#counts.add(symbol)) return;
    const shard = this.#shardOf(number);
    shard.set(number, (shard.get(number) ?? new Set()).add(symbol));
  }

  forget(symbol: number): void {
    const number = Number(this.#symbols.text(symbol));
    if (Number.isNaN(number) || !this.#counts.remove(symbol)) return;
    const shard = this.#shardOf(number);
    const same = shard.get(number);
    same?.delete(symbol);
    if (same?.size === 0) shard.delete(number);
  }

  /** Appends the values that `==` finds equal to `number`. */
  collect(number: number, into: Ints): void {
    for (const symbol of this.#shardOf(number).get(number) ?? []) into.push(symbol);
  }

  #shardOf(number: number): Map<number, Set<number>> {
    const place = Number.isFinite(number) ? Math.abs(Math.trunc(number)) % SHARDS : 0;
    return this.#shards[place] as Map<number, Set<number>>;
  }
}
