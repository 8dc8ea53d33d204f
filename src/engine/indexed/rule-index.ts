import type { RuleLine } from '../../vocabulary.js';
import type { Frame } from './frame.js';
import type { IndexPlan, Path, Stage } from './index-plan.js';
import { Ints } from './ints.js';
import type { Evaluate } from './interpreter.js';
import type { Find, Lookups } from './lookups.js';
import { RulePath } from './rule-path.js';
import type { RuleTable } from './rule-table.js';
import { type ReadyGuard, type PrepareGuard, passes } from './ready-guard.js';
import type { RuleOrder } from './rule-order.js';

/** The rules that may match a request. */
export interface Candidates {
  /** In the order of evaluation, none of them twice. Good until the next search. */
  readonly rows: Ints;
  /** What to evaluate on each; undefined where they all match. */
  readonly residual: Evaluate | undefined;
}

/** What the index needs besides its plan. */
export interface RuleIndexParts {
  readonly table: RuleTable;
  readonly order: RuleOrder;
  readonly lookups: Lookups;
  readonly prepareGuard: PrepareGuard;
  readonly compile: (expression: NonNullable<Stage['residual']>) => Evaluate;
  /** The whole matcher, for rules that the index cannot speak for. */
  readonly matcher: Evaluate;
  /** Whether a rule is as the plan supposes rules to be: of the right length, its patterns patterns. */
  readonly isRegular: (line: RuleLine) => boolean;
}

/** The `p` rules of an engine, found by what the matcher compares with the request. */
export class RuleIndex {
  readonly #parts: RuleIndexParts;
  readonly #stages: readonly ReadyStage[];
  /** Rules that the index cannot speak for: they are candidates always. */
  readonly #irregular = new Set<number>();
  readonly #rows = new Ints();
  /** All rules in their order, once they were asked for. */
  #all: Ints | undefined;

  constructor(plan: IndexPlan, parts: RuleIndexParts) {
    this.#parts = parts;
    this.#stages = plan.stages.map((stage) => readyStage(stage, parts));
  }

  /** Takes a rule and gives its row. */
  add(line: RuleLine): number {
    const { table, order } = this.#parts;
    const row = table.add(line);
    if (order.appends) this.#all?.push(row);
    else this.#all = undefined;
    this.#take(row, line);
    return row;
  }

  /** Takes a rule that comes into force with the next turn of the table, and gives its row. */
  prepare(line: RuleLine): number {
    const row = this.#parts.table.prepare(line);
    this.#take(row, line);
    return row;
  }

  /** Forgets a row that has gone. */
  remove(row: number): void {
    const { table, lookups } = this.#parts;
    if (!this.#irregular.delete(row)) {
      for (const { column, index } of lookups.indexes) index.forget(table.symbol(column, row));
      for (const stage of this.#stages) for (const { path } of stage.paths) path.remove(row);
    }
    table.remove(row);
  }

  /** The table was turned: what came and what went counts from now on. */
  turned(came: readonly number[], went: readonly number[]): void {
    if (!this.#parts.order.appends || went.length > 0) this.#all = undefined;
    else for (const row of came) this.#all?.push(row);
  }

  /** Finds the rules that may match; undefined where none does. */
  find(frame: Frame): Candidates | undefined {
    let reached: ReadyStage | undefined;
    for (const stage of this.#stages) {
      const verdict = stage.guards.length === 0 ? 'passed' : passes(stage.guards, frame);
      if (verdict === 'failed') break;
      if (verdict === 'none match') return this.#irregularOnly();
      reached = stage;
    }
    if (reached === undefined || reached.paths.length === 0) {
      return { rows: this.#allRows(), residual: this.#residualOf(reached) };
    }
    const rows = this.#rows;
    rows.clear();
    for (const { path, finds, wanted } of reached.paths) {
      if (want(finds, wanted, frame)) path.collect(wanted, rows);
    }
    for (const row of this.#irregular) rows.push(row);
    this.#arrange(rows);
    return { rows, residual: this.#residualOf(reached) };
  }

  /** The first rule of all; undefined where there is none. */
  first(): number | undefined {
    const rows = this.#allRows();
    return rows.length === 0 ? undefined : rows.at(0);
  }

  #take(row: number, line: RuleLine): void {
    const { table, order, lookups, isRegular } = this.#parts;
    order.add(row);
    if (!isRegular(line)) {
      this.#irregular.add(row);
      return;
    }
    for (const { column, index } of lookups.indexes) index.learn(table.symbol(column, row));
    for (const stage of this.#stages) for (const { path } of stage.paths) path.add(row);
  }

  /** Leaves out what is not in force yet, or no longer, and puts the rest in its order. */
  #arrange(rows: Ints): void {
    const { table, order } = this.#parts;
    if (table.isChanging) rows.keep((row) => table.isInForce(row));
    if (rows.length > 1) order.sort(rows);
  }

  /** Rules of other tables changed, on which the order may hang. */
  changed(): void {
    if (!this.#parts.order.appends) this.#all = undefined;
  }

  #irregularOnly(): Candidates | undefined {
    if (this.#irregular.size === 0) return undefined;
    const rows = this.#rows;
    rows.clear();
    for (const row of this.#irregular) rows.push(row);
    this.#arrange(rows);
    return { rows, residual: this.#parts.matcher };
  }

  #residualOf(stage: ReadyStage | undefined): Evaluate | undefined {
    return stage === undefined || this.#irregular.size > 0 ? this.#parts.matcher : stage.residual;
  }

  #allRows(): Ints {
    if (this.#all === undefined) {
      const { table, order } = this.#parts;
      this.#all = new Ints();
      for (let row = 0; row < table.end; row += 1) if (table.isInForce(row)) this.#all.push(row);
      if (!order.appends) order.sort(this.#all);
    }
    return this.#all;
  }
}

interface ReadyPath {
  readonly path: RulePath;
  /** For each column, in the order of the path. */
  readonly finds: readonly (readonly Find[])[];
  /** Where the symbols of each column are gathered. */
  readonly wanted: readonly Ints[];
}

interface ReadyStage {
  readonly guards: readonly ReadyGuard[];
  /** None: every rule is a candidate. */
  readonly paths: readonly ReadyPath[];
  readonly residual: Evaluate | undefined;
}

function readyStage({ guards, paths, residual }: Stage, parts: RuleIndexParts): ReadyStage {
  const narrows = paths.every((path) => path.length > 0);
  return {
    guards: guards.map(parts.prepareGuard),
    paths: narrows ? paths.map((path) => readyPath(path, parts)) : [],
    residual: residual && parts.compile(residual),
  };
}

function readyPath(path: Path, { table, lookups }: RuleIndexParts): ReadyPath {
  return {
    path: new RulePath(
      table,
      path.map(({ column }) => column),
    ),
    finds: path.map((step) => step.lookups.map((lookup) => lookups.prepare(step.column, lookup))),
    wanted: path.map(() => new Ints()),
  };
}

/** Gathers the symbols for each column; false where some column can have none. */
function want(finds: readonly (readonly Find[])[], wanted: readonly Ints[], frame: Frame): boolean {
  for (let level = 0; level < finds.length; level += 1) {
    const symbols = wanted[level] as Ints;
    symbols.clear();
    for (const find of finds[level] as readonly Find[]) find(frame, symbols);
    if (symbols.length === 0) return false;
  }
  return true;
}
