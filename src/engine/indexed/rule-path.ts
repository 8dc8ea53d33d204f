import type { Ints } from './ints.js';
import { PairTable } from './pair-table.js';
import { Records } from './records.js';
import type { RuleTable } from './rule-table.js';
import { NONE } from './symbol-table.js';

/** The node that every rule begins at. */
const ROOT = 0;

/** Fields of a leaf. */
const FIRST = 0;
const LAST = 1;
/** Fields of a row. */
const BEFORE = 0;
const AFTER = 1;

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
  readonly #leaves = new Records(2);
  /** Of a row: those beside it in the list of its leaf. */
  readonly #neighbours = new Records(2);

  /** @param columns at least one; the first is asked first */
  constructor(table: RuleTable, columns: readonly number[]) {
    this.#table = table;
    this.#columns = columns;
  }

  /** Takes a row that comes after all that were taken. */
  add(row: number): void {
    const leaf = this.#takeLeaf(row);
    while (this.#neighbours.length <= row) this.#neighbours.push(NONE);
    const last = this.#leaves.get(leaf, LAST);
    this.#neighbours.set(row, BEFORE, last);
    if (last === NONE) this.#leaves.set(leaf, FIRST, row);
    else this.#neighbours.set(last, AFTER, row);
    this.#leaves.set(leaf, LAST, row);
  }

  /** Forgets a row that was taken. */
  remove(row: number): void {
    const before = this.#neighbours.get(row, BEFORE);
    const after = this.#neighbours.get(row, AFTER);
    if (before !== NONE) this.#neighbours.set(before, AFTER, after);
    if (after !== NONE) this.#neighbours.set(after, BEFORE, before);
    if (before !== NONE && after !== NONE) return;
    const leaf = this.#takeLeaf(row);
    if (before === NONE) this.#leaves.set(leaf, FIRST, after);
    if (after === NONE) this.#leaves.set(leaf, LAST, before);
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
    let row = this.#leaves.get(leaf, FIRST);
    for (; row !== NONE; row = this.#neighbours.get(row, AFTER)) rows.push(row);
  }

  #takeLeaf(row: number): number {
    let node = ROOT;
    const last = this.#columns.length - 1;
    for (let level = 0; level <= last; level += 1) {
      const symbol = this.#table.symbol(this.#columns[level] as number, row);
      let next = this.#edges.get(node, symbol);
      if (next === NONE) {
        next = level === last ? this.#leaves.push(NONE) : this.#nodes++;
        this.#edges.set(node, symbol, next);
      }
      node = next;
    }
    return node;
  }
}
