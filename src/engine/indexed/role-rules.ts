import type { RuleLine } from '../../vocabulary.js';
import type { ModelDefinitions } from '../definitions.js';
import { stringOf, asText } from '../named-functions.js';
import { PatternedRoles } from './patterned-roles.js';
import { hasLink, PlainRoles, type RoleRelations, type Term } from './role-relations.js';
import { RuleTable } from './rule-table.js';
import { NONE, type SymbolTable } from './symbol-table.js';

/** The rules of one role type, and what they say. */
export class RoleRules {
  readonly table: RuleTable;
  readonly relations: RoleRelations;
  readonly #arity: 2 | 3;
  readonly #symbols: SymbolTable;

  /** @param type `g`, `g2`, …, one of the model's */
  constructor(type: string, model: ModelDefinitions, symbols: SymbolTable) {
    this.#arity = model.roleTypes.get(type) ?? 2;
    this.#symbols = symbols;
    this.table = new RuleTable(type, this.#arity, symbols);
    const matcher = model.functions.get(model.rolePatterns.get(type) ?? '');
    this.relations = matcher
      ? new PatternedRoles(
          symbols,
          () => this.#values(),
          this.#arity,
          (name, pattern) => Boolean(matcher.call(name, pattern)),
        )
      : new PlainRoles(symbols);
  }

  add(line: RuleLine): void {
    this.#link(this.table.add(line));
  }

  /** Takes a rule that comes into force with the next turn of the table, and gives its row. */
  prepare(line: RuleLine): number {
    const row = this.table.prepare(line);
    this.relations.prepare(...this.#relation(row));
    return row;
  }

  /** The table was turned: relates what came, and no more what went. */
  turned(came: readonly number[], went: readonly number[]): void {
    for (const row of went) this.relations.unlink(...this.#relation(row));
    for (const row of came) this.#link(row);
  }

  /** All roles of a name in a tenant, inherited ones too, nearest first. */
  rolesOf(name: Term, tenant: Term): readonly string[] {
    return this.relations.closureOf(name, this.#tenantOf(tenant)).names;
  }

  /** Whether some rule of the tenant gives this name as a role. */
  isRole(name: Term, tenant: Term): boolean {
    return this.relations.isRole(name, this.#tenantOf(tenant));
  }

  /** The relation as matchers call it: names may be nothing, the tenant may not. */
  readonly call = (...args: readonly unknown[]): boolean => {
    const [name, role, tenant] = args;
    if (args.length > 2 && (tenant === null || tenant === undefined)) {
      throw new TypeError('the tenant of a role relation is absent');
    }
    const inTenant = args.length > 2 ? this.#term(stringOf(tenant)) : this.relations.noTenant;
    return hasLink(this.relations, this.#term(asText(name)), asText(role), inTenant);
  };

  /** Types of two fields keep no tenants apart. */
  #tenantOf(tenant: Term): Term {
    return this.#arity === 3 ? tenant : this.relations.noTenant;
  }

  #term(text: string): Term {
    return { text, symbol: this.#symbols.find(text) };
  }

  #link(row: number): void {
    this.relations.link(...this.#relation(row));
  }

  /** What a row relates. A rule that is too short relates what it has, and nothing. */
  #relation(row: number): [name: number, role: number, tenant: number] {
    const symbol = (column: number) => {
      const held = column < this.#arity ? this.table.symbol(column, row) : NONE;
      return held === NONE ? this.#symbols.intern('') : held;
    };
    return [symbol(0), symbol(1), symbol(2)];
  }

  *#values(): Generator<readonly string[]> {
    for (const row of this.table.rows()) yield this.table.line(row).slice(1);
  }
}
