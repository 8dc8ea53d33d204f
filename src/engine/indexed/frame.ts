import type { Term } from './role-relations.js';
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
  /** Of tokens that are text, what was looked for in this check. */
  readonly #terms: { text: string; symbol: number }[];

  /** @param tokens how many tokens a request has */
  constructor(tokens: number, symbols: SymbolTable) {
    this.values = Array.from({ length: tokens }, () => undefined);
    this.#terms = Array.from({ length: tokens }, () => ({ text: '', symbol: UNKNOWN }));
    this.#symbols = symbols;
  }

  /** Takes the value of a token for the next check. */
  fill(token: number, value: unknown): void {
    this.values[token] = value;
    (this.#terms[token] as { symbol: number }).symbol = UNKNOWN;
  }

  /** Takes the symbol of a token that is text, from who came upon it. */
  settle(token: number, text: string, symbol: number): void {
    const term = this.#terms[token] as { text: string; symbol: number };
    term.text = text;
    term.symbol = symbol;
  }

  /** The symbol of a token that is text; looked for once a check. `NONE` where no rule holds it. */
  symbolOf(token: number): number {
    return this.termOf(token).symbol;
  }

  /** A token that is text, with its symbol. Good until the next check. */
  termOf(token: number): Term {
    const term = this.#terms[token] as { text: string; symbol: number };
    if (term.symbol === UNKNOWN) {
      const text = this.values[token];
      term.text = typeof text === 'string' ? text : '';
      term.symbol = typeof text === 'string' ? this.#symbols.find(text) : NONE;
    }
    return term;
  }
}
