import { NONE, type SymbolTable } from './symbol-table.js';

/** Stands for a rule where there is none: its values are empty, and there is nothing to `eval`. */
export const NO_RULE = -1;

/** A symbol that was not looked for yet. */
const UNKNOWN = -2;

/** What expressions are evaluated on: a check, and one rule. Used for one check after another. */
export class Frame {
  /** What fills the tokens of the request, in the order of their definition. */
  readonly values: unknown[];
  /** The row of the rule, or `NO_RULE`. */
  row = NO_RULE;
  readonly #symbols: SymbolTable;
  readonly #known: number[];

  /** @param tokens how many tokens a request has */
  constructor(tokens: number, symbols: SymbolTable) {
    this.values = Array.from({ length: tokens }, () => undefined);
    this.#known = Array.from({ length: tokens }, () => UNKNOWN);
    this.#symbols = symbols;
  }

  /** Takes the value of a token for the next check. */
  fill(token: number, value: unknown): void {
    this.values[token] = value;
    this.#known[token] = UNKNOWN;
  }

  /** The symbol of a token that is text; looked for once a check. `NONE` where no rule holds it. */
  symbolOf(token: number): number {
    const known = this.#known[token] as number;
    if (known !== UNKNOWN) return known;
    const text = this.values[token];
    const symbol = typeof text === 'string' ? this.#symbols.find(text) : NONE;
    this.#known[token] = symbol;
    return symbol;
  }
}
