import { Ints } from './ints.js';
import { PairTable } from './pair-table.js';
import { NONE, type SymbolTable } from './symbol-table.js';

/** Casbin's role managers look this many levels up and no further. */
const MAX_LEVELS = 10;
/** Closures remembered at most; then all are forgotten, for what is asked again is soon found again. */
const MAX_REMEMBERED = 50_000;

/** A name and all that it is by its roles. */
export interface RoleClosure {
  /** The name itself, if the rules know it, and its roles. */
  readonly symbols: readonly number[];
  /** The roles, inherited ones too, nearest first, without the name itself. */
  readonly names: readonly string[];
}

/** What the rules of one role type (`g`, `g2`, …) say. Tenants are empty for types of two fields. */
export interface RoleRelations {
  /** What `name` is in the tenant, by at most 10 levels of roles. */
  closureOf(name: string, tenant: string): RoleClosure;
  /** Whether `name` is the right-hand side of some rule of the tenant. */
  isRole(name: string, tenant: string): boolean;
  /** Takes a rule that was added: the symbols of its name, its role and its tenant. */
  link(name: number, role: number, tenant: number): void;
  /** Takes a rule that was removed. */
  unlink(name: number, role: number, tenant: number): void;
}

/** Whether `name` has `role`, or is it. */
export function hasLink(
  relations: RoleRelations,
  name: string,
  role: string,
  tenant: string,
): boolean {
  return name === role || relations.closureOf(name, tenant).names.includes(role);
}

/**
 * Relations whose names are plain names. Answers as node-casbin's default role manager, but visits
 * each role once; what it found is remembered until a relation changes.
 */
export class PlainRoles implements RoleRelations {
  readonly #symbols: SymbolTable;
  /** Nodes by tenant and name. */
  readonly #nodes = new PairTable();
  /** Of a node: its name, the first and the last of its edges, how many rules give it as a role. */
  readonly #names = new Ints();
  readonly #first = new Ints();
  readonly #last = new Ints();
  readonly #given = new Ints();
  /** Of an edge: the node that it leads to, and the next edge of the same node. */
  readonly #targets = new Ints();
  readonly #next = new Ints();
  #remembered = new Map<number, RoleClosure>();

  constructor(symbols: SymbolTable) {
    this.#symbols = symbols;
  }

  closureOf(name: string, tenant: string): RoleClosure {
    const symbol = this.#symbols.find(name);
    if (symbol === NONE) return NOTHING;
    const node = this.#nodeOf(symbol, tenant);
    if (node === NONE || this.#first.at(node) === NONE) return { symbols: [symbol], names: [] };
    const remembered = this.#remembered.get(node);
    if (remembered !== undefined) return remembered;
    const closure = this.#search(node);
    if (this.#remembered.size >= MAX_REMEMBERED) this.#forget();
    this.#remembered.set(node, closure);
    return closure;
  }

  isRole(name: string, tenant: string): boolean {
    const symbol = this.#symbols.find(name);
    const node = symbol === NONE ? NONE : this.#nodeOf(symbol, tenant);
    return node !== NONE && this.#given.at(node) > 0;
  }

  link(name: number, role: number, tenant: number): void {
    const node = this.#takeNode(name, tenant);
    const target = this.#takeNode(role, tenant);
    this.#given.set(target, this.#given.at(target) + 1);
    const edge = this.#targets.push(target);
    this.#next.push(NONE);
    const last = this.#last.at(node);
    if (last === NONE) this.#first.set(node, edge);
    else this.#next.set(last, edge);
    this.#last.set(node, edge);
    this.#forget();
  }

  unlink(name: number, role: number, tenant: number): void {
    const node = this.#nodes.get(tenant, name);
    const target = this.#nodes.get(tenant, role);
    let before = NONE;
    let edge = node === NONE ? NONE : this.#first.at(node);
    while (edge !== NONE && this.#targets.at(edge) !== target) {
      before = edge;
      edge = this.#next.at(edge);
    }
    if (edge === NONE) return;
    const next = this.#next.at(edge);
    if (before === NONE) this.#first.set(node, next);
    else this.#next.set(before, next);
    if (next === NONE) this.#last.set(node, before);
    this.#given.set(target, this.#given.at(target) - 1);
    this.#forget();
  }

  /** Breadth first, each role once, in the order of the rules within a level. */
  #search(start: number): RoleClosure {
    const found = [start];
    const seen = new Set(found);
    for (let level = 1, from = 0; level <= MAX_LEVELS && from < found.length; level += 1) {
      const end = found.length;
      for (; from < end; from += 1) this.#visit(found[from] as number, found, seen);
    }
    const symbols = found.map((node) => this.#names.at(node));
    return { symbols, names: symbols.slice(1).map((symbol) => this.#symbols.text(symbol)) };
  }

  #visit(node: number, found: number[], seen: Set<number>): void {
    for (let edge = this.#first.at(node); edge !== NONE; edge = this.#next.at(edge)) {
      const target = this.#targets.at(edge);
      if (seen.has(target)) continue;
      seen.add(target);
      found.push(target);
    }
  }

  #nodeOf(name: number, tenant: string): number {
    const tenantSymbol = this.#symbols.find(tenant);
    return tenantSymbol === NONE ? NONE : this.#nodes.get(tenantSymbol, name);
  }

  #takeNode(name: number, tenant: number): number {
    const known = this.#nodes.get(tenant, name);
    if (known !== NONE) return known;
    const node = this.#names.push(name);
    this.#first.push(NONE);
    this.#last.push(NONE);
    this.#given.push(0);
    this.#nodes.set(tenant, name, node);
    return node;
  }

  #forget(): void {
    if (this.#remembered.size > 0) this.#remembered = new Map();
  }
}

const NOTHING: RoleClosure = { symbols: [], names: [] };
