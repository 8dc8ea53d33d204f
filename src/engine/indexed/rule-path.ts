import { Ints } from './ints.js';
import { PairTable } from './pair-table.js';
import type { RuleTable } from './rule-table.js';
import { NONE } from './symbol-table.js';

/** The node that every rule begins at. */
const ROOT = 0;

/**
 * The rules of a table by the values of some columns, one after the other: a trie whose edges are
 * pairs of a node and a symbol, and whose leaves are lists of rows in their order.
 */
export class RulePath {
  readonly #table: RuleTable;
  readonly #columns: readonly number[];
  readonly #edges = new PairTable();
  #nodes = ROOT + 1;
  /** Of a leaf: its first row and its last. */
  readonly #first = new Ints();
  readonly #last = new Ints();
  /** Of a row: those beside it in the list of its leaf. */
  readonly #before = new Ints();
  readonly #after = new Ints();

  /** @param columns at least one; the first is asked first */
  constructor(table: RuleTable, columns: readonly number[]) {
    this.#table = table;
    this.#columns = columns;
  }

  /** Takes a row that comes after all that were taken. */
  add(row: number): void {
    const leaf = this.#takeLeaf(row);
    while (this.#after.length < row) {
      this.#before.push(NONE);
      this.#after.push(NONE);
    }
    const last = this.#last.at(leaf);
    this.#before.push(last);
    this.#after.push(NONE);
    if (last === NONE) this.#first.set(leaf, row);
    else this.#after.set(last, row);
    this.#last.set(leaf, row);
  }

  /** Forgets a row that was taken. */
  remove(row: number): void {
    const [before, after] = [this.#before.at(row), this.#after.at(row)];
    if (before !== NONE) this.#after.set(before, after);
    if (after !== NONE) this.#before.set(after, before);
    if (before !== NONE && after !== NONE) return;
    const leaf = this.#takeLeaf(row);
    if (before === NONE) this.#first.set(leaf, after);
    if (after === NONE) this.#last.set(leaf, before);
  }

  /**
   * Appends the rows whose values are all among the wanted ones. Within one combination of values they
   * ascend; a row comes twice only where a symbol is wanted twice.
   *
   * @param wanted the symbols for each column, in the order of the columns
   */
  collect(wanted: readonly Ints[], rows: Ints): void {
    this.#walk(ROOT, 0, wanted, rows);
  }

  #walk(node: number, level: number, wanted: readonly Ints[], rows: Ints): void {
    const symbols = wanted[level] as Ints;
    const isLast = level === this.#columns.length - 1;
    for (let index = 0; index < symbols.length; index += 1) {
      const next = this.#edges.get(node, symbols.at(index));
      if (next === NONE) continue;
      if (isLast) this.#list(next, rows);
      else this.#walk(next, level + 1, wanted, rows);
    }
  }

  #list(leaf: number, rows: Ints): void {
    for (let row = this.#first.at(leaf); row !== NONE; row = this.#after.at(row)) rows.push(row);
  }

  #takeLeaf(row: number): number {
    let node = ROOT;
    const last = this.#columns.length - 1;
    for (let level = 0; level <= last; level += 1) {
      const symbol = this.#table.symbol(this.#columns[level] as number, row);
      let next = this.#edges.get(node, symbol);
      if (next === NONE) {
        next = level === last ? this.#newLeaf() : this.#nodes++;
        this.#edges.set(node, symbol, next);
      }
      node = next;
    }
    return node;
  }

  #newLeaf(): number {
    this.#first.push(NONE);
    return this.#last.push(NONE);
  }
}
