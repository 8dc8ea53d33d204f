import type { Ints } from './ints.js';
import { PairTable } from './pair-table.js';
import { Records } from './records.js';
import type { RuleTable } from './rule-table.js';
import { SymbolSet } from './symbol-set.js';
import { NONE } from './symbol-table.js';

/** The node that every rule begins at. */
const ROOT = 0;

/** More symbols than this are held against the mask of a node before its edges are looked for. */
const FEW = 2;

/** Fields of a list: its first row and its last. */
const FIRST = 0;
const LAST = 1;
/** Fields of a row in a list: those beside it. */
const BEFORE = 0;
const AFTER = 1;

/**
 * The rules of a table by the values of some columns, one after the other: a trie whose edges are
 * pairs of a node and a symbol. A last edge leads to the one row that there is for its values, as most
 * do, or to a list of rows in their order.
 */
export class RulePath {
  readonly #table: RuleTable;
  readonly #columns: readonly number[];
  readonly #edges = new PairTable();
  /** What each column has held: most names that are asked for are in no rule of this type. */
  readonly #held: readonly SymbolSet[];
  /** Of a node: a bit for each symbol that leads on, several symbols to a bit; none is taken out. */
  readonly #nodes = new Records(1);
  readonly #lists = new Records(2);
  readonly #neighbours = new Records(2);

  /** @param columns at least one; the first is asked first */
  constructor(table: RuleTable, columns: readonly number[]) {
    this.#table = table;
    this.#columns = columns;
    this.#held = columns.map(() => new SymbolSet());
    this.#nodes.push(0);
  }

  /** Takes a row that comes after all that were taken. */
  add(row: number): void {
    this.#columns.forEach((column, level) => {
      this.#held[level]?.add(this.#table.symbol(column, row));
    });
    const node = this.#lastNode(row);
    const symbol = this.#lastSymbol(row);
    this.#mark(node, symbol);
    const held = this.#edges.get(node, symbol);
    if (held === NONE) this.#edges.set(node, symbol, asRow(row));
    else if (held >= 0) this.#append(held, row);
    else {
      const list = this.#lists.push(NONE);
      this.#edges.set(node, symbol, list);
      this.#append(list, rowOf(held));
      this.#append(list, row);
    }
  }

  /** Forgets a row that was taken. */
  remove(row: number): void {
    const node = this.#lastNode(row);
    const symbol = this.#lastSymbol(row);
    const held = this.#edges.get(node, symbol);
    if (held >= 0) this.#unlink(held, row);
    else this.#edges.set(node, symbol, NONE);
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
    const held = this.#held[level] as SymbolSet;
    const isLast = level === this.#columns.length - 1;
    const mask = symbols.length > FEW ? this.#nodes.get(node, 0) : ALL;
    for (let index = 0; index < symbols.length; index += 1) {
      const symbol = symbols.at(index);
      if ((mask & bitOf(symbol)) === 0 || !held.has(symbol)) continue;
      const next = this.#edges.get(node, symbol);
      if (next === NONE) continue;
      if (!isLast) this.#walk(next, level + 1, wanted, rows);
      else if (next < 0) rows.push(rowOf(next));
      else this.#list(next, rows);
    }
  }

  #list(list: number, rows: Ints): void {
    let row = this.#lists.get(list, FIRST);
    for (; row !== NONE; row = this.#neighbours.get(row, AFTER)) rows.push(row);
  }

  #append(list: number, row: number): void {
    while (this.#neighbours.length <= row) this.#neighbours.push(NONE);
    const last = this.#lists.get(list, LAST);
    this.#neighbours.set(row, BEFORE, last);
    this.#neighbours.set(row, AFTER, NONE);
    if (last === NONE) this.#lists.set(list, FIRST, row);
    else this.#neighbours.set(last, AFTER, row);
    this.#lists.set(list, LAST, row);
  }

  #unlink(list: number, row: number): void {
    const before = this.#neighbours.get(row, BEFORE);
    const after = this.#neighbours.get(row, AFTER);
    if (before === NONE) this.#lists.set(list, FIRST, after);
    else this.#neighbours.set(before, AFTER, after);
    if (after === NONE) this.#lists.set(list, LAST, before);
    else this.#neighbours.set(after, BEFORE, before);
  }

  /** The node that a row's last edge begins at; made where it is not there. */
  #lastNode(row: number): number {
    let node = ROOT;
    for (let level = 0; level < this.#columns.length - 1; level += 1) {
      const symbol = this.#table.symbol(this.#columns[level] as number, row);
      let next = this.#edges.get(node, symbol);
      if (next === NONE) {
        next = this.#nodes.push(0);
        this.#edges.set(node, symbol, next);
        this.#mark(node, symbol);
      }
      node = next;
    }
    return node;
  }

  #mark(node: number, symbol: number): void {
    this.#nodes.set(node, 0, this.#nodes.get(node, 0) | bitOf(symbol));
  }

  #lastSymbol(row: number): number {
    return this.#table.symbol(this.#columns[this.#columns.length - 1] as number, row);
  }
}

/** A mask that lets every symbol through. */
const ALL = -1;

/** The bit of a symbol in a mask; the names of one tenant's roles are neighbours, and get different ones. */
function bitOf(symbol: number): number {
  return 1 << (symbol & 31);
}

/** A row as the value of an edge: below every number of a list, and below `NONE`. */
function asRow(row: number): number {
  return NONE - 1 - row;
}

function rowOf(value: number): number {
  return NONE - 1 - value;
}
