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
 * pairs of a node and a symbol. An edge with one row behind it, as most have, leads to that row, whose
 * further values are in its record; one with several leads to a node, a last edge to a list of rows in
 * their order.
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
    const last = this.#columns.length - 1;
    let node = ROOT;
    for (let level = 0; level < last; level += 1) {
      const symbol = this.#symbolAt(level, row);
      const next = this.#edges.get(node, symbol);
      if (next === NONE) {
        this.#lead(node, symbol, asRow(row));
        return;
      }
      node = next < 0 ? this.#split(node, symbol, level, rowOf(next)) : next;
    }
    this.#addLast(node, this.#symbolAt(last, row), row);
  }

  /** Forgets a row that was taken. */
  remove(row: number): void {
    let node = ROOT;
    for (let level = 0; ; level += 1) {
      const symbol = this.#symbolAt(level, row);
      const next = this.#edges.get(node, symbol);
      if (next < 0) {
        if (next === asRow(row)) this.#edges.set(node, symbol, NONE);
        return;
      }
      if (level === this.#columns.length - 1) {
        this.#unlink(next, row);
        return;
      }
      node = next;
    }
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
      if (next < 0) {
        const row = rowOf(next);
        if (isLast || this.#fits(row, level + 1, wanted)) rows.push(row);
      } else if (isLast) this.#list(next, rows);
      else this.#walk(next, level + 1, wanted, rows);
    }
  }

  /** Whether the values of a row, from a level on, are among the wanted ones. */
  #fits(row: number, from: number, wanted: readonly Ints[]): boolean {
    for (let level = from; level < this.#columns.length; level += 1) {
      if (!(wanted[level] as Ints).includes(this.#symbolAt(level, row))) return false;
    }
    return true;
  }

  /** Has an edge lead somewhere; to a row, a node or a list. */
  #lead(node: number, symbol: number, to: number): void {
    this.#nodes.set(node, 0, this.#nodes.get(node, 0) | bitOf(symbol));
    this.#edges.set(node, symbol, to);
  }

  /** Puts a node between an edge and the row that it leads to. */
  #split(node: number, symbol: number, level: number, row: number): number {
    const made = this.#nodes.push(0);
    this.#edges.set(node, symbol, made);
    this.#lead(made, this.#symbolAt(level + 1, row), asRow(row));
    return made;
  }

  #addLast(node: number, symbol: number, row: number): void {
    const held = this.#edges.get(node, symbol);
    if (held === NONE) this.#lead(node, symbol, asRow(row));
    else if (held >= 0) this.#append(held, row);
    else {
      const list = this.#lists.push(NONE);
      this.#edges.set(node, symbol, list);
      this.#append(list, rowOf(held));
      this.#append(list, row);
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

  #symbolAt(level: number, row: number): number {
    return this.#table.symbol(this.#columns[level] as number, row);
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
