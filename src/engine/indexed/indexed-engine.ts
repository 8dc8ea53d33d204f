import { atOnce, type Work } from '../../platform/turns.js';
import type { Check, RuleLine } from '../../vocabulary.js';
import type {
  Engine,
  EngineAnswer,
  MatcherPart,
  PreparedChange,
  RuleDifference,
  SubjectOfCheck,
} from '../engine.js';
import type { Model } from '../model.js';
import { createNamedFunctions } from '../named-functions.js';
import { ALLOW, effectOf, meaningOf, type Merged, mergeEffect } from './effect.js';
import { planIndex } from './index-plan.js';
import { Recent } from './recent.js';
import { Frame, NO_RULE } from './frame.js';
import { type Evaluate, Interpreter } from './interpreter.js';
import { Lookups } from './lookups.js';
import { regularityTest } from './regular-rule.js';
import { guardMaker } from './ready-guard.js';
import { requestReaders } from './request-readers.js';
import { RoleRules } from './role-rules.js';
import { RuleIndex } from './rule-index.js';
import { createRuleOrder, type RuleOrder } from './rule-order.js';
import { RuleTable } from './rule-table.js';
import { SymbolSet } from './symbol-set.js';
import { NONE, SymbolTable } from './symbol-table.js';
import { TermReader, textTokenTest } from './term-reader.js';

/** Rows out of force that an engine carries along, at least; beyond, as many as are in force. */
const MIN_WASTE = 10_000;

/** Lines put together before that are held: the same few rules decide most checks. A power of two. */
const LINES_HELD = 65_536;

/** An engine while it takes its first rules. */
export interface LoadingEngine extends Engine {
  /** Takes the next rule in rank order, in constant time; false where it can not be indexed. */
  load(line: RuleLine): boolean;
  /** Gets ready to decide, once all rules were taken: what the first check would else wait for. */
  loaded(): Work<void>;
  /** Every rule held, those of each type in rank order. */
  lines(): Iterable<RuleLine>;
}

/**
 * An engine that finds the rules of a check instead of trying them all. It gives the answers of the
 * reference engine: same decision, same rule, same error.
 */
export function createIndexedEngine(model: Model): LoadingEngine {
  return new IndexedEngine(model);
}

class IndexedEngine implements LoadingEngine {
  readonly name = 'indexed';
  readonly parts: readonly MatcherPart[];
  readonly #model: Model;
  readonly #policies: RuleTable;
  readonly #index: RuleIndex;
  readonly #order: RuleOrder;
  readonly #roles: ReadonlyMap<string, RoleRules>;
  /** Lines of types that the model does not have; they decide nothing. */
  readonly #strangers: RuleLine[] = [];
  readonly #isRegular: (line: RuleLine) => boolean;
  readonly #matcher: Evaluate;
  readonly #readers: readonly ((check: Check) => unknown)[];
  readonly #eft: number;
  /** Rows whose effect is another than to allow. */
  readonly #others = new SymbolSet();
  /** By row. Rows are never used twice. */
  readonly #lines = new Recent<RuleLine>(LINES_HELD, (row) => this.#policies.line(row));
  readonly #frame: Frame;
  /** What the frame was filled from. */
  #decided: Check | undefined;
  readonly #terms: TermReader;

  constructor(model: Model) {
    const symbols = new SymbolTable();
    const functions = createNamedFunctions();
    const table = new RuleTable('p', model.policyTokens.length, symbols);
    this.#model = model;
    this.#policies = table;
    this.#roles = new Map(
      [...model.roleTypes.keys()].map((type) => [type, new RoleRules(type, model, symbols)]),
    );
    this.#isRegular = regularityTest(model);
    this.#order = createRuleOrder(model, {
      policies: table,
      roles: this.#roles.get('g')?.table,
    });
    const interpreter = new Interpreter(model, {
      text: (column, row) => table.text(column, row),
      functions: new Map([
        ...[...functions].map(([name, { call }]) => [name, call] as const),
        ...[...this.#roles].map(([type, { call }]) => [type, call] as const),
      ]),
    });
    const compile = interpreter.compile.bind(interpreter);
    const plan = planIndex(model);
    this.parts = plan.parts;
    this.#matcher = compile(model.matcher);
    this.#index = new RuleIndex(plan, {
      table,
      order: this.#order,
      lookups: new Lookups({
        symbols,
        functions,
        roles: new Map([...this.#roles].map(([type, { relations }]) => [type, relations])),
        compile,
        textToken: textTokenTest(model),
      }),
      prepareGuard: guardMaker(compile, functions),
      compile,
      matcher: this.#matcher,
      isRegular: this.#isRegular,
    });
    this.#readers = requestReaders(model);
    this.#eft = model.policyTokens.indexOf('eft');
    this.#frame = new Frame(this.#readers.length, symbols);
    this.#terms = new TermReader(model, symbols);
  }

  get size(): number {
    const roles = [...this.#roles.values()].reduce((sum, { table }) => sum + table.size, 0);
    return this.#policies.size + roles + this.#strangers.length;
  }

  decide(check: Check): EngineAnswer {
    try {
      const frame = this.#frame;
      for (let at = 0; at < this.#readers.length; at += 1) {
        frame.fill(at, this.#readers[at]?.(check));
      }
      this.#decided = check;
      return this.#policies.size > 0 && this.#model.readsRules
        ? this.#decideByRules()
        : this.#decideAlone();
    } catch (error) {
      return { effect: 'error', message: error instanceof Error ? error.message : String(error) };
    }
  }

  rolesOf(check: SubjectOfCheck): readonly string[] {
    const rules = this.#roles.get('g');
    const frame = this.#frameOf(check);
    const sub = rules && this.#terms.sub(check, frame);
    if (sub === undefined || rules === undefined) return [];
    return rules.rolesOf(sub, this.#terms.tenant(check.tenant, frame));
  }

  isRole(name: string, tenant: string): boolean {
    const rules = this.#roles.get('g');
    return rules?.isRole(this.#terms.of(name), this.#terms.of(tenant)) ?? false;
  }

  subjectIsRole(check: SubjectOfCheck): boolean {
    const rules = this.#roles.get('g');
    const frame = this.#frameOf(check);
    const sub = rules && this.#terms.sub(check, frame);
    if (sub === undefined || rules === undefined) return false;
    return rules.isRole(sub, this.#terms.tenant(check.tenant, frame));
  }

  load(line: RuleLine): boolean {
    const [ptype] = line;
    this.#decided = undefined;
    const roles = this.#roles.get(ptype);
    if (roles) roles.add(line);
    else if (ptype !== 'p') this.#strangers.push(line);
    else if (this.#order.accepts(line)) this.#noteEffect(this.#index.add(line));
    else return false;
    return true;
  }

  *loaded(): Work<void> {
    const arrange = yield* this.#order.preparing();
    arrange?.();
  }

  apply(difference: RuleDifference): boolean {
    const change = atOnce(this.preparing(difference));
    if (change === undefined) return false;
    change.commit();
    atOnce(change.tidying());
    return true;
  }

  *preparing({ added, removed }: RuleDifference): Work<PreparedChange | undefined> {
    if (!this.#hasRoomFor(removed)) return undefined;
    for (const line of removed) {
      if (!this.#canDrop(line)) return undefined;
      yield;
    }
    for (const line of added) {
      if (!this.#canTake(line)) return undefined;
      yield;
    }
    const turns = new Map([...this.#tables()].map((table) => [table.ptype, new Turn(table)]));
    for (const line of removed) {
      turns.get(line[0])?.dismiss(line);
      yield;
    }
    for (const line of added) {
      if (!this.#holds(line)) turns.get(line[0])?.came.push(this.#prepare(line));
      yield;
    }
    const all = [...turns.values()];
    const arrange = yield* this.#order.preparing();
    const commit = () => {
      this.#commit(all);
      arrange?.();
    };
    return { commit, tidying: () => this.#tidying(all) };
  }

  *lines(): Generator<RuleLine> {
    for (const table of this.#tables()) for (const row of table.rows()) yield table.line(row);
    yield* this.#strangers;
  }

  /** The frame, where it was filled from this very check: what it has looked for need not be again. */
  #frameOf(check: SubjectOfCheck): Frame | undefined {
    return check === this.#decided ? this.#frame : undefined;
  }

  #decideByRules(): EngineAnswer {
    const { effect } = this.#model;
    const frame = this.#frame;
    const merged: Merged = { allowed: effect === 'deny-override', named: NONE };
    const found = this.#index.find(frame);
    if (found !== undefined) {
      const { rows, residual } = found;
      for (let at = 0, before = NONE; at < rows.length; at += 1) {
        const row = rows.at(at);
        // Several ways may lead to one rule.
        if (row === before) continue;
        before = row;
        frame.row = row;
        const meaning = residual === undefined ? ALLOW : meaningOf(residual(frame));
        const said = meaning === ALLOW ? this.#effectOf(row) : meaning;
        if (mergeEffect(effect, merged, said, row)) break;
      }
    }
    return this.#answer(merged);
  }

  /** Without rules, or where the matcher reads none, node-casbin evaluates it once, on nothing. */
  #decideAlone(): EngineAnswer {
    const { effect, readsRules } = this.#model;
    this.#frame.row = NO_RULE;
    const holds = Boolean(this.#matcher(this.#frame));
    const first = readsRules ? undefined : this.#index.first();
    const rule = first === undefined ? undefined : { rule: this.#policies.line(first) };
    const allowed = holds || effect === 'deny-override';
    return allowed ? { effect: 'allow', ...rule } : { effect: 'deny', explicit: false, ...rule };
  }

  #answer({ allowed, named }: Merged): EngineAnswer {
    if (named === NONE) return allowed ? ALLOWED : DENIED;
    const rule = this.#lines.get(named);
    return allowed ? { effect: 'allow', rule } : { effect: 'deny', explicit: true, rule };
  }

  #effectOf(row: number): number {
    // Most rules allow, and to look a rule up costs a place in memory that no cache holds.
    return this.#others.has(row) ? effectOf(this.#policies.text(this.#eft, row)) : ALLOW;
  }

  /** Notes what a new row says, unless it allows. */
  #noteEffect(row: number): void {
    if (this.#eft === -1) return;
    if (effectOf(this.#policies.text(this.#eft, row)) !== ALLOW) this.#others.add(row);
  }

  /** Whether a line is such that adding it leads to where a load would. */
  #canTake(line: RuleLine): boolean {
    return (
      this.#tableOf(line)?.width === line.length - 1 &&
      (line[0] !== 'p' || (this.#order.accepts(line) && this.#isRegular(line)))
    );
  }

  #canDrop(line: RuleLine): boolean {
    const table = this.#tableOf(line);
    // A line of another length may say the same as this one, and would go on saying it.
    return table?.width === line.length - 1 && table.oddSize === 0;
  }

  #hasRoomFor(removed: readonly RuleLine[]): boolean {
    return [...this.#tables()].every((table) => !this.#isWasteful(table, removed.length));
  }

  /** Rows that went leave room behind that only a new load wins back. */
  #isWasteful({ end, size }: RuleTable, more: number): boolean {
    return end - size + more > Math.max(MIN_WASTE, size);
  }

  #holds(line: RuleLine): boolean {
    return this.#tableOf(line)?.find(line) !== NONE;
  }

  #prepare(line: RuleLine): number {
    const roles = this.#roles.get(line[0]);
    if (roles !== undefined) return roles.prepare(line);
    const row = this.#index.prepare(line);
    this.#noteEffect(row);
    return row;
  }

  /** All in one turn of the event loop, and so of checks: what was prepared took the time. */
  #commit(turns: readonly Turn[]): void {
    this.#decided = undefined;
    for (const { table, came, went } of turns) {
      table.turn();
      if (table === this.#policies) this.#index.turned(came, went);
      else this.#roles.get(table.ptype)?.turned(came, went);
    }
    this.#index.changed();
  }

  *#tidying(turns: readonly Turn[]): Work<void> {
    for (const { table, came, went } of turns) {
      for (const row of came) {
        table.settle(row);
        yield;
      }
      for (const row of went) {
        if (table === this.#policies) this.#index.remove(row);
        else table.remove(row);
        yield;
      }
      table.settled();
    }
  }

  #tableOf([ptype]: RuleLine): RuleTable | undefined {
    return ptype === 'p' ? this.#policies : this.#roles.get(ptype)?.table;
  }

  *#tables(): Generator<RuleTable> {
    yield this.#policies;
    for (const { table } of this.#roles.values()) yield table;
  }
}

/** What one change does to a table. */
class Turn {
  readonly table: RuleTable;
  readonly came: number[] = [];
  readonly went: number[] = [];

  constructor(table: RuleTable) {
    this.table = table;
  }

  /** Nothing where the line is not in force. */
  dismiss(line: RuleLine): void {
    const row = this.table.find(line);
    if (row === NONE) return;
    this.table.dismiss(row);
    this.went.push(row);
  }
}

const ALLOWED: EngineAnswer = { effect: 'allow' };
const DENIED: EngineAnswer = { effect: 'deny', explicit: false };
