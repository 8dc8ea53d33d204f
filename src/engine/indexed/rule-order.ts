import { done, type Work } from '../../platform/turns.js';
import type { RuleLine } from '../../vocabulary.js';
import type { ModelDefinitions } from '../definitions.js';
import { Ints } from './ints.js';
import type { RuleTable } from './rule-table.js';
import { sortingAsRuntime } from './runtime-sort.js';
import { rankingSubjects } from './subject-ranks.js';

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
  /**
   * Puts what is in force after the next turn in order, where that hangs on all rules at once; what comes
   * of it makes that order count.
   */
  preparing(): Work<(() => void) | undefined>;
}

/** What an order may hang on. */
export interface OrderedTables {
  /** The `p` rules, whose order it is. */
  readonly policies: RuleTable;
  /** The `g` rules, where the model has them. */
  readonly roles: RuleTable | undefined;
}

/** The order of a model's rules. */
export function createRuleOrder(model: ModelDefinitions, tables: OrderedTables): RuleOrder {
  if (model.effect === 'subject-priority') return new SubjectOrder(model, tables);
  const column = model.policyTokens.indexOf('priority');
  return column === -1 ? new ArrivalOrder() : new PriorityOrder(tables.policies, column);
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

  preparing(): Work<undefined> {
    return done(undefined);
  }
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
    return Number.isSafeInteger(numberIn(line[this.#column + 1]));
  }

  add(row: number): void {
    this.#priorities[row] = numberIn(this.#table.text(this.#column, row));
  }

  preparing(): Work<undefined> {
    return done(undefined);
  }
}

function numberIn(text: string | undefined): number {
  return Number.parseInt(text ?? '', 10);
}

/**
 * By where their subjects stand in the hierarchy of roles; rules of equal ones by their `priority`, where
 * they have one, or as they came. That hangs on all rules at once, so that each change makes it anew.
 */
class SubjectOrder implements RuleOrder {
  readonly appends = false;
  readonly #model: ModelDefinitions;
  readonly #tables: OrderedTables;
  /** By row. */
  #places: Int32Array | undefined;

  constructor(model: ModelDefinitions, tables: OrderedTables) {
    this.#model = model;
    this.#tables = tables;
  }

  sort(rows: Ints): void {
    const places = this.#places;
    if (places === undefined) throw new TypeError('the rules were not put in order');
    rows.sortBy((a, b) => (places[a] as number) - (places[b] as number));
  }

  accepts(): boolean {
    return true;
  }

  add(): void {}

  *preparing(): Work<() => void> {
    const places = yield* this.#placing();
    return () => {
      this.#places = places;
    };
  }

  /**
   * The places of what is in force after the next turn. To node-casbin a rule without number is equal to
   * every other, so that nothing but its very sorting gives its places.
   */
  *#placing(): Work<Int32Array> {
    const { policies, roles } = this.#tables;
    const ranks = yield* rankingSubjects(this.#model, valuesAfterTurn(roles));
    const priority = this.#model.policyTokens.indexOf('priority');
    const rankOf = new Float64Array(policies.end);
    const priorityOf = new Float64Array(policies.end);
    const rows = new Ints();
    for (const row of policies.rowsAfterTurn()) {
      const values = policies.line(row).slice(1);
      rankOf[row] = ranks.of(values);
      priorityOf[row] = numberIn(values[priority]);
      rows.push(row);
      yield;
    }
    const sorted = rows.toArray();
    const less = (of: Float64Array) => (a: number, b: number) =>
      (of[a] as number) - (of[b] as number);
    if (priority !== -1) yield* sortingAsRuntime(sorted, less(priorityOf));
    yield* sortingAsRuntime(sorted, less(rankOf));
    const places = new Int32Array(policies.end);
    for (let place = 0; place < sorted.length; place += 1) places[sorted[place] as number] = place;
    return places;
  }
}

function* valuesAfterTurn(table: RuleTable | undefined): Iterable<readonly string[]> {
  if (table !== undefined) for (const row of table.rowsAfterTurn()) yield table.line(row).slice(1);
}
