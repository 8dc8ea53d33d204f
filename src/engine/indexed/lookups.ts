import { asText, type NamedFunctions } from '../named-functions.js';
import type { Lookup } from './index-plan.js';
import type { Ints } from './ints.js';
import type { Evaluate, Frame } from './interpreter.js';
import { KeyMatchIndex } from './key-match-index.js';
import { NumberIndex } from './number-index.js';
import { PatternIndex } from './pattern-index.js';
import type { RoleRelations } from './role-relations.js';
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
    const { roles, compile } = this.#parts;
    const relations = roles.get(type);
    const readName = compile(name);
    const readTenant = tenant ? compile(tenant) : () => '';
    return (frame, into) => {
      const closure = relations?.closureOf(asText(readName(frame)), String(readTenant(frame)));
      for (const symbol of closure?.symbols ?? []) into.push(symbol);
    };
  }

  #pattern(column: number, lookup: Extract<Lookup, { kind: 'pattern' }>): Find {
    const { symbols, functions, compile } = this.#parts;
    const { function: name } = lookup;
    const read = compile(lookup.text);
    const named = functions.get(name);
    if (named === undefined) throw new Error(`no function \`${name}\``);
    const index = this.#shared(`${column} ${name}`, column, () =>
      name === 'keyMatch'
        ? new KeyMatchIndex(symbols)
        : new PatternIndex(symbols, name, { function: named }),
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
