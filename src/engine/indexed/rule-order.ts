import type { RuleLine } from '../../vocabulary.js';
import type { ModelDefinitions } from '../definitions.js';
import { OrderedEnforcer } from '../ordered-enforcer.js';
import type { Ints } from './ints.js';
import type { RuleTable } from './rule-table.js';

/** The order in which node-casbin evaluates rules, beyond that in which they came. */
export interface RuleOrder {
  /** Puts rows in their order, in place. */
  sort(rows: Ints): void;
  /** Whether a rule has a place in this order; node-casbin's is not to be foretold where one has not. */
  accepts(line: RuleLine): boolean;
  /** Takes a row that was added. */
  add(row: number): void;
  /** Whether a row that was added comes after all others. */
  readonly appends: boolean;
  /** Rules changed; an order that hangs on all of them is made anew when it is next asked. */
  changed(): void;
}

/** The order of a model's rules. */
export function createRuleOrder(
  model: ModelDefinitions,
  table: RuleTable,
  roles: () => readonly (readonly string[])[],
): RuleOrder {
  if (model.effect === 'subject-priority') return new SubjectOrder(model, table, roles);
  const column = model.policyTokens.indexOf('priority');
  return column === -1 ? new ArrivalOrder() : new PriorityOrder(table, column);
}

/** As they came. */
class ArrivalOrder implements RuleOrder {
  readonly appends = true;

  sort(rows: Ints): void {
    rows.sort();
  }

  accepts(): boolean {
    return true;
  }

  add(): void {}

  changed(): void {}
}

/** By the number in their field `priority`, the smallest first; rules of one priority as they came. */
class PriorityOrder implements RuleOrder {
  readonly appends = false;
  readonly #table: RuleTable;
  readonly #column: number;
  readonly #priorities: number[] = [];

  constructor(table: RuleTable, column: number) {
    this.#table = table;
    this.#column = column;
  }

  sort(rows: Ints): void {
    const priorities = this.#priorities;
    rows.sortBy((a, b) => (priorities[a] as number) - (priorities[b] as number) || a - b);
  }

  /** What is no number compares with nothing, and sorting then depends on the whole of the rules. */
  accepts(line: RuleLine): boolean {
    return Number.isSafeInteger(priorityOf(line[this.#column + 1]));
  }

  add(row: number): void {
    this.#priorities[row] = priorityOf(this.#table.text(this.#column, row));
  }

  changed(): void {}
}

function priorityOf(text: string | undefined): number {
  return Number.parseInt(text ?? '', 10);
}

/**
 * By where their subjects stand in the hierarchy of roles, as node-casbin itself sorts them: that order
 * hangs on all rules at once, so that each change makes it anew.
 */
class SubjectOrder implements RuleOrder {
  readonly appends = false;
  readonly #model: ModelDefinitions;
  readonly #table: RuleTable;
  readonly #roles: () => readonly (readonly string[])[];
  #places: readonly number[] | undefined;

  constructor(
    model: ModelDefinitions,
    table: RuleTable,
    roles: () => readonly (readonly string[])[],
  ) {
    this.#model = model;
    this.#table = table;
    this.#roles = roles;
  }

  sort(rows: Ints): void {
    this.#places ??= this.#sorted();
    const places = this.#places;
    rows.sortBy((a, b) => (places[a] as number) - (places[b] as number));
  }

  accepts(): boolean {
    return true;
  }

  add(): void {}

  changed(): void {
    this.#places = undefined;
  }

  #sorted(): readonly number[] {
    const rows = [...this.#table.rows()];
    const policies = rows.map((row) => this.#table.line(row).slice(1));
    const rowOf = new Map(policies.map((values, index) => [values, rows[index] as number]));
    const { ordered } = new OrderedEnforcer({
      model: this.#model,
      matcher: 'true',
      policies,
      roles: this.#roles().map((values) => [...values]),
      functions: new Map(),
    });
    const places: number[] = [];
    ordered.forEach((values, place) => {
      places[rowOf.get(values as string[]) ?? 0] = place;
    });
    return places;
  }
}
