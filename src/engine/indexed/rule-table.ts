import type { RuleLine } from '../../vocabulary.js';
import { Records } from './records.js';
import { NONE, type SymbolTable } from './symbol-table.js';

const SHARD_BITS = 5;
const FIRST_SLOTS = 16;
/**
 * What a row is: out of force or in it; or, while a large change is made ready, coming or going: all
 * such rows together by one `turn`.
 */
const OUT = 0;
const IN = 1;
const COMING = 2;
const GOING = 3;
/** A slot whose row has gone; what stood behind it stays findable. */
const LEFT = -2;

/**
 * The rules of one type in the order in which they came, a row each: values as symbols, column by
 * column. Rows are never used twice, so that their numbers keep the order.
 */
export class RuleTable {
  /** The rule type: `p`, `g`, `g2`, … */
  readonly ptype: string;
  /** How many values a rule of this type has. */
  readonly width: number;
  readonly #symbols: SymbolTable;
  /** Of a row: its values, and last what it is. */
  readonly #rows: Records;
  /** Rows that have too few values or too many, whole. */
  readonly #odd = new Map<number, RuleLine>();
  readonly #shards: Shard[] = Array.from({ length: 1 << SHARD_BITS }, () => ({
    slots: new Int32Array(FIRST_SLOTS).fill(NONE),
    used: 0,
  }));
  #size = 0;
  /** By how much `turn` changes the size. */
  #difference = 0;
  /** What of coming and going counts as in force. */
  #alsoIn = GOING;
  #isChanging = false;

  constructor(ptype: string, width: number, symbols: SymbolTable) {
    this.ptype = ptype;
    this.#symbols = symbols;
    this.width = width;
    this.#rows = new Records(width + 1);
  }

  /** Rows in force. */
  get size(): number {
    return this.#size;
  }

  /** Rows ever taken; every row's number is below. */
  get end(): number {
    return this.#rows.length;
  }

  /** Rows in force whose number of values is not that of the type. */
  get oddSize(): number {
    return this.#odd.size;
  }

  /** Whether there may be rows that are coming, going, or have just come or gone. */
  get isChanging(): boolean {
    return this.#isChanging;
  }

  isInForce(row: number): boolean {
    const state = this.#rows.get(row, this.width);
    return state === IN || state === this.#alsoIn;
  }

  isGoing(row: number): boolean {
    return this.#rows.get(row, this.width) === GOING;
  }

  isOdd(row: number): boolean {
    return this.#odd.has(row);
  }

  /** The symbol of a value; `NONE` where an odd row has none there. */
  symbol(column: number, row: number): number {
    return this.#rows.get(row, column);
  }

  /** A value; undefined where an odd row has none there. */
  text(column: number, row: number): string | undefined {
    const symbol = this.symbol(column, row);
    return symbol === NONE ? undefined : this.#symbols.text(symbol);
  }

  /** The rule of a row. */
  line(row: number): RuleLine {
    const odd = this.#odd.get(row);
    if (odd !== undefined) return odd;
    const line: [string, ...string[]] = [this.ptype];
    for (let column = 0; column < this.width; column += 1) {
      line.push(this.#symbols.text(this.#rows.get(row, column)));
    }
    return line;
  }

  /** Appends a rule of this type and gives its row. */
  add(line: RuleLine): number {
    this.#size += 1;
    return this.#append(line, IN);
  }

  /** `add` for a rule that comes into force with the next `turn`. */
  prepare(line: RuleLine): number {
    this.#isChanging = true;
    this.#difference += 1;
    return this.#append(line, COMING);
  }

  /** Has a row go out of force with the next `turn`. */
  dismiss(row: number): void {
    this.#isChanging = true;
    this.#difference -= 1;
    this.#rows.set(row, this.width, GOING);
  }

  /** Puts all that is coming into force and all that is going out of it, at once. */
  turn(): void {
    this.#alsoIn = COMING;
    this.#size += this.#difference;
    this.#difference = 0;
  }

  /** After a `turn`: a row that came is from now on like any other. */
  settle(row: number): void {
    this.#rows.set(row, this.width, IN);
  }

  /** After a `turn`, once each row was settled or removed: another change may be prepared. */
  settled(): void {
    this.#alsoIn = GOING;
    this.#isChanging = false;
  }

  #append(line: RuleLine, state: number): number {
    const row = this.#rows.push(NONE);
    this.#rows.set(row, this.width, state);
    for (let column = 0; column < Math.min(this.width, line.length - 1); column += 1) {
      this.#rows.set(row, column, this.#symbols.intern(line[column + 1] as string));
    }
    if (line.length === this.width + 1) this.#place(row);
    else this.#odd.set(row, line);
    return row;
  }

  /**
   * The first row with exactly these values that is in force, or coming; `NONE` where there is none,
   * and for odd rows. One that is going is not found.
   */
  find(line: RuleLine): number {
    if (line.length !== this.width + 1) return NONE;
    const wanted: number[] = [];
    for (const value of line.slice(1)) wanted.push(this.#symbols.find(value));
    if (wanted.includes(NONE)) return NONE;
    const hash = hashOf(wanted);
    const { slots } = this.#shardOf(hash);
    const slot = this.#slotOf(
      slots,
      hash,
      (row) =>
        wanted.every((symbol, column) => this.#rows.get(row, column) === symbol) &&
        !this.isGoing(row),
    );
    const row = slots[slot] as number;
    return row === NONE ? NONE : row;
  }

  /** Forgets a row that has gone with the last `turn`. */
  remove(row: number): void {
    this.#rows.set(row, this.width, OUT);
    if (this.#odd.delete(row)) return;
    const hash = this.#hashOfRow(row);
    const { slots } = this.#shardOf(hash);
    slots[this.#slotOf(slots, hash, (other) => other === row)] = LEFT;
  }

  /** The rows in force, in their order. */
  *rows(): Generator<number> {
    for (let row = 0; row < this.end; row += 1) if (this.isInForce(row)) yield row;
  }

  /** The rows that are in force once the next `turn` was made, in their order. */
  *rowsAfterTurn(): Generator<number> {
    for (let row = 0; row < this.end; row += 1) {
      const state = this.#rows.get(row, this.width);
      if (state === IN || state === COMING) yield row;
    }
  }

  /** Where a row that `matches` stands, or the empty slot behind all that could. */
  #slotOf(slots: Int32Array, hash: number, matches: (row: number) => boolean): number {
    const mask = slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const row = slots[slot] as number;
      if (row === NONE || (row !== LEFT && matches(row))) return slot;
    }
  }

  #place(row: number): void {
    const hash = this.#hashOfRow(row);
    const shard = this.#shardOf(hash);
    shard.used += 1;
    if (shard.used * 4 > shard.slots.length * 3) this.#grow(shard);
    put(shard.slots, row, hash);
  }

  #grow(shard: Shard): void {
    const held = shard.slots;
    shard.slots = new Int32Array(held.length * 2).fill(NONE);
    shard.used = 1;
    for (const row of held) {
      if (row < 0) continue;
      put(shard.slots, row, this.#hashOfRow(row));
      shard.used += 1;
    }
  }

  #hashOfRow(row: number): number {
    let hash = FIRST_HASH;
    for (let column = 0; column < this.width; column += 1) {
      hash = hashWith(hash, this.#rows.get(row, column));
    }
    return hash;
  }

  #shardOf(hash: number): Shard {
    return this.#shards[hash >>> (32 - SHARD_BITS)] as Shard;
  }
}

interface Shard {
  /** Rows, open addressing; a power of two of them. */
  slots: Int32Array;
  /** Slots that are not `NONE`. */
  used: number;
}

const FIRST_HASH = 0x2545f491;

function hashWith(hash: number, symbol: number): number {
  const mixed = Math.imul(hash ^ symbol, 0x9e3779b1);
  return mixed ^ (mixed >>> 15);
}

function hashOf(symbols: readonly number[]): number {
  let hash = FIRST_HASH;
  for (const symbol of symbols) hash = hashWith(hash, symbol);
  return hash;
}

function put(slots: Int32Array, row: number, hash: number): void {
  const mask = slots.length - 1;
  let slot = hash & mask;
  while (slots[slot] !== NONE) slot = (slot + 1) & mask;
  slots[slot] = row;
}
