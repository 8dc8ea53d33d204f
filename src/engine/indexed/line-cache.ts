import type { RuleLine } from '../../vocabulary.js';
import { NONE } from './symbol-table.js';

/** Places, a power of two. */
const PLACES = 8_192;

/** Lines that were put together before, by row: the same few rules decide most checks. */
export class LineCache {
  readonly #rows = new Int32Array(PLACES).fill(NONE);
  readonly #lines: (RuleLine | undefined)[] = Array.from({ length: PLACES }, () => undefined);

  /** The line of a row, which `make` puts together where it is not here. Rows are never used twice. */
  get(row: number, make: (row: number) => RuleLine): RuleLine {
    const place = row & (PLACES - 1);
    const held = this.#rows[place] === row ? this.#lines[place] : undefined;
    if (held !== undefined) return held;
    const line = make(row);
    this.#rows[place] = row;
    this.#lines[place] = line;
    return line;
  }
}
