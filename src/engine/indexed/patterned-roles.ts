import type { Ints } from './ints.js';
import { type RoleMatcher, RoleGraph } from '../role-graph.js';
import type { RoleClosure, RoleRelations, Term } from './role-relations.js';
import { NONE, type SymbolTable } from './symbol-table.js';

/** Closures remembered at most; then all are forgotten. */
const MAX_REMEMBERED = 10_000;

/**
 * Relations whose names may be patterns. Which name fits which pattern depends on all rules and their
 * order, so a change of them builds the graph anew, when it is next asked.
 */
export class PatternedRoles implements RoleRelations {
  readonly #symbols: SymbolTable;
  /** The values of the rules in force, in rank order. */
  readonly #rules: () => Iterable<readonly string[]>;
  readonly #arity: 2 | 3;
  readonly #matches: RoleMatcher;
  #graph: RoleGraph | undefined;
  #remembered = new Map<string, Map<string, RoleClosure>>();
  #size = 0;
  /** Symbols when the first was remembered: a name may get one later, from any rule. */
  #symbolsThen = 0;
  readonly noTenant: Term;

  constructor(
    symbols: SymbolTable,
    rules: () => Iterable<readonly string[]>,
    arity: 2 | 3,
    matches: RoleMatcher,
  ) {
    this.#symbols = symbols;
    this.noTenant = { text: '', symbol: symbols.intern('') };
    this.#rules = rules;
    this.#arity = arity;
    this.#matches = matches;
  }

  closureOf({ text: name }: Term, { text: tenant }: Term): RoleClosure {
    if (this.#symbols.size !== this.#symbolsThen) this.#forget();
    const remembered = this.#remembered.get(tenant)?.get(name);
    if (remembered !== undefined) return remembered;
    const names = this.#current().rolesOf(name, tenant);
    const symbols = [name, ...names]
      .map((role) => this.#symbols.find(role))
      .filter((symbol) => symbol !== NONE);
    return this.#remember(name, tenant, { symbols, names });
  }

  collect(name: Term, tenant: Term, into: Ints): void {
    into.pushAll(this.closureOf(name, tenant).symbols);
  }

  isRole(name: Term, tenant: Term): boolean {
    return this.#current().isRole(name.text, tenant.text);
  }

  prepare(): void {}

  link(): void {
    this.#forget();
    this.#graph = undefined;
  }

  unlink(): void {
    this.link();
  }

  #current(): RoleGraph {
    this.#graph ??= new RoleGraph(this.#rules(), this.#arity, this.#matches);
    return this.#graph;
  }

  #remember(name: string, tenant: string, closure: RoleClosure): RoleClosure {
    if (this.#size >= MAX_REMEMBERED) this.#forget();
    const ofTenant = this.#remembered.get(tenant) ?? new Map<string, RoleClosure>();
    this.#remembered.set(tenant, ofTenant.set(name, closure));
    this.#size += 1;
    return closure;
  }

  #forget(): void {
    this.#remembered = new Map();
    this.#size = 0;
    this.#symbolsThen = this.#symbols.size;
  }
}
