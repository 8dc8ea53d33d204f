import { asText, type NamedFunctions } from '../named-functions.js';
import type { Frame } from './frame.js';
import type { Lookup } from './index-plan.js';
import type { Ints } from './ints.js';
import type { Evaluate } from './interpreter.js';
import { KeyMatchIndex } from './key-match-index.js';
import { NumberIndex } from './number-index.js';
import { PatternIndex } from './pattern-index.js';
import type { RoleRelations, Term } from './role-relations.js';
import { NONE, type SymbolTable } from './symbol-table.js';
import type { ValueIndex } from './value-index.js';
import type { Expression } from '../expression.js';

/** Appends the symbols of a column that satisfy a part of the matcher for a request. */
export type Find = (frame: Frame, into: Ints) => void;

/** What the look-ups of an engine are made of. */
export interface LookupParts {
  readonly symbols: SymbolTable;
  readonly functions: NamedFunctions;
  readonly roles: ReadonlyMap<string, RoleRelations>;
  readonly compile: (expression: Expression) => Evaluate;
  /** The place of an expression among the request's tokens, where it is one that is always text. */
  readonly textToken: (expression: Expression) => number | undefined;
}

/** The look-ups of an engine's plan, and the indexes of single columns that they ask. */
export class Lookups {
  readonly #parts: LookupParts;
  /** By what they index: several look-ups of a column may share one. */
  readonly #indexes = new Map<string, { readonly column: number; readonly index: ValueIndex }>();

  constructor(parts: LookupParts) {
    this.#parts = parts;
  }

  /** Every column index that must learn of the values of rules. */
  get indexes(): Iterable<{ readonly column: number; readonly index: ValueIndex }> {
    return this.#indexes.values();
  }

  /** The look-up as a function, for one column. */
  prepare(column: number, lookup: Lookup): Find {
    switch (lookup.kind) {
      case 'equal':
        return this.#equal(column, lookup);
      case 'roles':
        return this.#roles(lookup);
      case 'pattern':
        return this.#pattern(column, lookup);
    }
  }

  #equal(column: number, { value, loose }: Extract<Lookup, { kind: 'equal' }>): Find {
    const { symbols, compile } = this.#parts;
    const token = this.#parts.textToken(value);
    if (token !== undefined) {
      return (frame, into) => {
        const symbol = frame.symbolOf(token);
        if (symbol !== NONE) into.push(symbol);
      };
    }
    const read = compile(value);
    const numbers = loose
      ? this.#shared(`${column} numbers`, column, () => new NumberIndex(symbols))
      : undefined;
    return (frame, into) => {
      const wanted = read(frame);
      if (typeof wanted === 'string') {
        const symbol = symbols.find(wanted);
        if (symbol !== NONE) into.push(symbol);
      } else if (typeof wanted === 'number' || typeof wanted === 'boolean') {
        numbers?.collect(Number(wanted), into);
      }
    };
  }

  #roles({ type, name, tenant }: Extract<Lookup, { kind: 'roles' }>): Find {
    const relations = this.#parts.roles.get(type);
    if (relations === undefined) throw new Error(`no role type \`${type}\``);
    const [nameToken, tenantToken] = [this.#tokenOf(name), tenant && this.#tokenOf(tenant)];
    if (nameToken !== undefined && tenantToken !== undefined) {
      return (frame, into) =>
        relations.collect(frame.termOf(nameToken), frame.termOf(tenantToken), into);
    }
    const nameOf = this.#termReader(name);
    const tenantOf = tenant ? this.#termReader(tenant) : () => relations.noTenant;
    return (frame, into) => relations.collect(nameOf(frame), tenantOf(frame), into);
  }

  #tokenOf(expression: Expression): number | undefined {
    return this.#parts.textToken(expression);
  }

  /** Reads a name and its symbol. */
  #termReader(expression: Expression): (frame: Frame) => Term {
    const { symbols, compile } = this.#parts;
    const token = this.#tokenOf(expression);
    if (token !== undefined) return (frame) => frame.termOf(token);
    const read = compile(expression);
    return (frame) => {
      const text = asText(read(frame));
      return { text, symbol: symbols.find(text) };
    };
  }

  #pattern(column: number, lookup: Extract<Lookup, { kind: 'pattern' }>): Find {
    const { symbols, functions, compile } = this.#parts;
    const { function: name } = lookup;
    const read = compile(lookup.text);
    const token = this.#parts.textToken(lookup.text);
    const named = functions.get(name);
    if (named === undefined) throw new Error(`no function \`${name}\``);
    if (name === 'keyMatch') {
      const index = this.#shared(`${column} ${name}`, column, () => new KeyMatchIndex(symbols));
      return token === undefined
        ? (frame, into) => void index.collect(asText(read(frame)), into)
        : (frame, into) => {
            const text = frame.values[token] as string;
            frame.settle(token, text, index.collect(text, into));
          };
    }
    const index = this.#shared(
      `${column} ${name}`,
      column,
      () => new PatternIndex(symbols, name, named),
    );
    return (frame, into) => index.collect(asText(read(frame)), into);
  }

  #shared<Index extends ValueIndex>(key: string, column: number, make: () => Index): Index {
    const known = this.#indexes.get(key);
    // The key names the kind of index.
    if (known !== undefined) return known.index as Index;
    const index = make();
    this.#indexes.set(key, { column, index });
    return index;
  }
}
