import type { Ints } from './ints.js';
import { PairTable } from './pair-table.js';
import { Recent } from './recent.js';
import { RecentLists } from './recent-lists.js';
import { Records } from './records.js';
import { NONE, type SymbolTable } from './symbol-table.js';

/** Casbin's role managers look this many levels up and no further. */
const MAX_LEVELS = 10;
/** Looking through so many is faster than hashing them. */
const FEW = 16;
/** Closures held at most, those that were asked for lately; a power of two. */
const MAX_HELD = 65_536;

/**
 * Fields of a node: its name, the node of its first role, the first and the last of the edges to its
 * further roles, how many rules give it as a role. Most names have one role, which needs no edge.
 */
const NAME = 0;
const ROLE = 1;
const FIRST = 2;
const LAST = 3;
const GIVEN = 4;
/** Fields of an edge: the node that it leads to, and the next edge of the same node. */
const TARGET = 0;
const NEXT = 1;

/** A name and all that it is by its roles. */
export interface RoleClosure {
  /** The name itself, if the rules know it, and its roles. */
  readonly symbols: readonly number[];
  /** The roles, inherited ones too, nearest first, without the name itself. */
  readonly names: readonly string[];
}

const NO_NAMES: readonly string[] = [];
const NOTHING: RoleClosure = { symbols: [], names: NO_NAMES };

/** A name, and its symbol: `NONE` where no rule holds it. */
export interface Term {
  readonly text: string;
  readonly symbol: number;
}

/** What the rules of one role type (`g`, `g2`, …) say. Tenants are empty for types of two fields. */
export interface RoleRelations {
  /** The tenant of types of two fields. */
  readonly noTenant: Term;
  /** What `name` is in the tenant, by at most 10 levels of roles. */
  closureOf(name: Term, tenant: Term): RoleClosure;
  /** Appends the `symbols` of `closureOf`. */
  collect(name: Term, tenant: Term, into: Ints): void;
  /** Whether `name` is the right-hand side of some rule of the tenant. */
  isRole(name: Term, tenant: Term): boolean;
  /** Makes room for a rule that is to be added; nobody has another role by that. */
  prepare(name: number, role: number, tenant: number): void;
  /** Takes a rule that was added: the symbols of its name, its role and its tenant. */
  link(name: number, role: number, tenant: number): void;
  /** Takes a rule that was removed. */
  unlink(name: number, role: number, tenant: number): void;
}

/** Whether `name` has `role`, or is it. */
export function hasLink(relations: RoleRelations, name: Term, role: string, tenant: Term): boolean {
  return name.text === role || relations.closureOf(name, tenant).names.includes(role);
}

/**
 * Relations whose names are plain names. Answers as node-casbin's default role manager, but visits
 * each role once; what it found lately is held until a relation changes.
 */
export class PlainRoles implements RoleRelations {
  readonly #symbols: SymbolTable;
  /** Nodes by tenant and name. */
  readonly #places = new PairTable();
  readonly #nodes = new Records(5);
  readonly #edges = new Records(2);
  /** By node, which is a name in a tenant. */
  readonly #closures = new Recent<RoleClosure>(
    MAX_HELD,
    (node) => new FoundClosure(this.#search(node), this.#symbols),
  );
  /** The symbols of short ones, marked where the name is itself a role. */
  readonly #lists = new RecentLists(MAX_HELD);
  readonly noTenant: Term;

  constructor(symbols: SymbolTable) {
    this.#symbols = symbols;
    this.noTenant = { text: '', symbol: symbols.intern('') };
  }

  closureOf({ symbol }: Term, tenant: Term): RoleClosure {
    if (symbol === NONE) return NOTHING;
    const node = tenant.symbol === NONE ? NONE : this.#places.get(tenant.symbol, symbol);
    if (node === NONE || this.#nodes.get(node, ROLE) === NONE) {
      return { symbols: [symbol], names: NO_NAMES };
    }
    return this.#closures.get(node);
  }

  collect(name: Term, tenant: Term, into: Ints): void {
    if (name.symbol === NONE) return;
    if (tenant.symbol === NONE) {
      into.push(name.symbol);
      return;
    }
    if (this.#lists.copy(tenant.symbol, name.symbol, into)) return;
    const { symbols } = this.closureOf(name, tenant);
    this.#lists.hold(tenant.symbol, name.symbol, symbols, this.#isGiven(name, tenant));
    into.pushAll(symbols);
  }

  isRole(name: Term, tenant: Term): boolean {
    if (name.symbol === NONE || tenant.symbol === NONE) return false;
    return this.#lists.isMarked(tenant.symbol, name.symbol) ?? this.#isGiven(name, tenant);
  }

  prepare(name: number, role: number, tenant: number): void {
    this.#takeNode(name, tenant);
    this.#takeNode(role, tenant);
  }

  link(name: number, role: number, tenant: number): void {
    const node = this.#takeNode(name, tenant);
    const target = this.#takeNode(role, tenant);
    this.#nodes.set(target, GIVEN, this.#nodes.get(target, GIVEN) + 1);
    if (this.#nodes.get(node, ROLE) === NONE) this.#nodes.set(node, ROLE, target);
    else this.#append(node, target);
    this.#forget();
  }

  unlink(name: number, role: number, tenant: number): void {
    const node = this.#places.get(tenant, name);
    const target = this.#places.get(tenant, role);
    if (node === NONE || target === NONE) return;
    const isGone =
      this.#nodes.get(node, ROLE) === target
        ? this.#dropFirst(node)
        : this.#dropFurther(node, target);
    if (isGone) this.#nodes.set(target, GIVEN, this.#nodes.get(target, GIVEN) - 1);
    this.#forget();
  }

  #isGiven(name: Term, tenant: Term): boolean {
    const node = this.#places.get(tenant.symbol, name.symbol);
    return node !== NONE && this.#nodes.get(node, GIVEN) > 0;
  }

  #forget(): void {
    this.#closures.forget();
    this.#lists.forget();
  }

  #append(node: number, target: number): void {
    const edge = this.#edges.push(NONE);
    this.#edges.set(edge, TARGET, target);
    const last = this.#nodes.get(node, LAST);
    if (last === NONE) this.#nodes.set(node, FIRST, edge);
    else this.#edges.set(last, NEXT, edge);
    this.#nodes.set(node, LAST, edge);
  }

  /** The second role becomes the first. */
  #dropFirst(node: number): boolean {
    const edge = this.#nodes.get(node, FIRST);
    this.#nodes.set(node, ROLE, edge === NONE ? NONE : this.#edges.get(edge, TARGET));
    if (edge !== NONE) this.#unlinkEdge(node, NONE, edge);
    return true;
  }

  #dropFurther(node: number, target: number): boolean {
    let before = NONE;
    let edge = this.#nodes.get(node, FIRST);
    while (edge !== NONE && this.#edges.get(edge, TARGET) !== target) {
      before = edge;
      edge = this.#edges.get(edge, NEXT);
    }
    if (edge === NONE) return false;
    this.#unlinkEdge(node, before, edge);
    return true;
  }

  #unlinkEdge(node: number, before: number, edge: number): void {
    const next = this.#edges.get(edge, NEXT);
    if (before === NONE) this.#nodes.set(node, FIRST, next);
    else this.#edges.set(before, NEXT, next);
    if (next === NONE) this.#nodes.set(node, LAST, before);
  }

  /** Breadth first, each role once, in the order of the rules within a level. */
  #search(start: number): readonly number[] {
    const found = [start];
    let seen: Set<number> | undefined;
    for (let level = 1, from = 0; level <= MAX_LEVELS && from < found.length; level += 1) {
      for (const end = found.length; from < end; from += 1) {
        if (seen === undefined && found.length > FEW) seen = new Set(found);
        this.#visit(found[from] as number, found, seen);
      }
    }
    return found.map((node) => this.#nodes.get(node, NAME));
  }

  #visit(node: number, found: number[], seen: Set<number> | undefined): void {
    const first = this.#nodes.get(node, ROLE);
    if (first !== NONE) meet(first, found, seen);
    let edge = this.#nodes.get(node, FIRST);
    for (; edge !== NONE; edge = this.#edges.get(edge, NEXT)) {
      meet(this.#edges.get(edge, TARGET), found, seen);
    }
  }

  #takeNode(name: number, tenant: number): number {
    const known = this.#places.get(tenant, name);
    if (known !== NONE) return known;
    const node = this.#nodes.push(NONE);
    this.#nodes.set(node, NAME, name);
    this.#nodes.set(node, GIVEN, 0);
    this.#places.set(tenant, name, node);
    return node;
  }
}

function meet(node: number, found: number[], seen: Set<number> | undefined): void {
  if (seen === undefined ? found.includes(node) : seen.has(node)) return;
  seen?.add(node);
  found.push(node);
}

/** Most are asked for the symbols alone. */
class FoundClosure implements RoleClosure {
  readonly symbols: readonly number[];
  readonly #table: SymbolTable;
  #names: readonly string[] | undefined;

  constructor(symbols: readonly number[], table: SymbolTable) {
    this.symbols = symbols;
    this.#table = table;
  }

  get names(): readonly string[] {
    this.#names ??= this.symbols.slice(1).map((symbol) => this.#table.text(symbol));
    return this.#names;
  }
}
