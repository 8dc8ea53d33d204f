import type { Expression } from '../../../src/engine/expression.js';
import type { Check, JsonObject, RuleLine } from '../../../src/vocabulary.js';
import { type Difference, differenceIn, type EngineMaker } from './compare.js';
import { modelSource, type ModelPlan } from './models.js';
import type { Scenario } from './scenario.js';

/** A scenario and what the engines do not agree on in it. */
export interface Finding {
  readonly scenario: Scenario;
  readonly difference: Difference;
}

/** Milliseconds after which the smallest so far must do. */
const PATIENCE = 20_000;

/**
 * Makes a finding small: takes away changes, checks, rules, parts of the matcher, fields, members of
 * the check, for as long as the engines go on to differ.
 */
export function smallest(found: Finding, make: EngineMaker, patience = PATIENCE): Finding {
  const deadline = Date.now() + patience;
  let best = found;
  for (;;) {
    const smaller = firstFailing(best.scenario, make, deadline);
    if (smaller === undefined) return best;
    best = smaller;
  }
}

/** The difference of a scenario, whatever throws in an engine among it. */
export function findingIn(scenario: Scenario, make: EngineMaker): Finding | undefined {
  try {
    const difference = differenceIn(scenario, make);
    return difference && { scenario, difference };
  } catch (error) {
    const actual = error instanceof Error ? (error.stack ?? error.message) : error;
    const difference = {
      asked: 'no error',
      expected: undefined,
      actual,
      check: undefined,
      step: 0,
    };
    return { scenario, difference };
  }
}

function firstFailing(
  scenario: Scenario,
  make: EngineMaker,
  deadline: number,
): Finding | undefined {
  for (const candidate of smallerThan(scenario)) {
    if (Date.now() > deadline) return undefined;
    const finding = findingIn(candidate, make);
    if (finding !== undefined) return finding;
  }
  return undefined;
}

/** Scenarios with a little less in them, those with much less first. */
function* smallerThan(scenario: Scenario): Generator<Scenario> {
  const { changes, checks, lines, source } = scenario;
  for (const fewer of without(changes)) yield { ...scenario, changes: fewer };
  for (const fewer of without(checks)) yield { ...scenario, checks: fewer };
  for (const fewer of without(lines)) yield { ...scenario, lines: fewer };
  for (const [index, { added, removed }] of changes.entries()) {
    for (const fewer of without(added)) {
      yield { ...scenario, changes: changes.with(index, { added: fewer, removed }) };
    }
    for (const fewer of without(removed)) {
      yield { ...scenario, changes: changes.with(index, { added, removed: fewer }) };
    }
  }
  for (const plan of simplerPlans(source.plan, source.model.matcher)) {
    const simpler = modelSource(plan);
    if (simpler !== undefined) yield { ...scenario, source: simpler };
  }
  for (let field = 0; field < source.plan.fields.length; field += 1) {
    yield* withoutField(scenario, field);
  }
  for (const [index, check] of checks.entries()) {
    for (const simpler of simplerChecks(check)) {
      yield { ...scenario, checks: checks.with(index, simpler) };
    }
  }
}

/** A list without a half of it, a quarter, … one item. */
function* without<Item>(items: readonly Item[]): Generator<readonly Item[]> {
  for (
    let size = Math.ceil(items.length / 2);
    size >= 1;
    size = size === 1 ? 0 : Math.ceil(size / 2)
  ) {
    for (let from = 0; from < items.length; from += size) {
      yield items.toSpliced(from, size);
    }
  }
}

/** The scenario without a field of its `p` rules, if the model can do without. */
function* withoutField(scenario: Scenario, field: number): Generator<Scenario> {
  const { plan } = scenario.source;
  const source = modelSource({ ...plan, fields: plan.fields.toSpliced(field, 1) });
  if (source === undefined) return;
  const without = ([ptype, ...values]: RuleLine): RuleLine =>
    ptype === 'p' ? [ptype, ...values.toSpliced(field, 1)] : [ptype, ...values];
  yield {
    ...scenario,
    source,
    lines: scenario.lines.map(without),
    changes: scenario.changes.map(({ added, removed }) => ({
      added: added.map(without),
      removed: removed.map(without),
    })),
  };
}

function* simplerPlans(plan: ModelPlan, matcher: Expression): Generator<ModelPlan> {
  for (const simpler of simplerExpressions(matcher)) {
    yield { ...plan, matcher: written(simpler) };
  }
  for (const token of plan.tokens) {
    yield { ...plan, tokens: plan.tokens.filter((name) => name !== token) };
  }
  const { request, rolePatterns } = plan.options;
  for (const [name] of Object.entries(rolePatterns ?? {})) {
    const { [name]: _, ...rest } = rolePatterns ?? {};
    yield { ...plan, options: { ...(request && { request }), rolePatterns: rest } };
  }
}

/** The expression with one of its parts replaced by a part of that part, or left out. */
function* simplerExpressions(whole: Expression): Generator<Expression> {
  switch (whole.kind) {
    case 'binary':
      yield whole.left;
      yield whole.right;
      for (const left of simplerExpressions(whole.left)) yield { ...whole, left };
      for (const right of simplerExpressions(whole.right)) yield { ...whole, right };
      return;
    case 'unary':
      yield whole.operand;
      for (const operand of simplerExpressions(whole.operand)) yield { ...whole, operand };
      return;
    case 'conditional':
      yield whole.test;
      yield whole.whenTrue;
      yield whole.whenFalse;
      for (const test of simplerExpressions(whole.test)) yield { ...whole, test };
      for (const whenTrue of simplerExpressions(whole.whenTrue)) yield { ...whole, whenTrue };
      for (const whenFalse of simplerExpressions(whole.whenFalse)) yield { ...whole, whenFalse };
      return;
    case 'list':
      for (const items of without(whole.items)) yield { ...whole, items };
      return;
    case 'call':
    case 'literal':
    case 'token':
      return;
  }
}

/** An expression as text that reads back the same: brackets around everything, blanks only at `in`. */
function written(expression: Expression): string {
  switch (expression.kind) {
    case 'literal':
      return JSON.stringify(expression.value);
    case 'token':
      return [expression.of, expression.name, ...expression.members].join('.');
    case 'call':
      return `${expression.name}(${expression.args.map(written).join(',')})`;
    case 'list':
      return `[${expression.items.map(written).join(',')}]`;
    case 'unary':
      return `${expression.operator}(${written(expression.operand)})`;
    case 'binary':
      return `(${written(expression.left)} ${expression.operator} ${written(expression.right)})`.replaceAll(
        ' (',
        '(',
      );
    case 'conditional':
      return `(${written(expression.test)}?(${written(expression.whenTrue)}):(${written(expression.whenFalse)}))`;
  }
}

function* simplerChecks(check: Check): Generator<Check> {
  for (const context of fewerMembers(check.context)) yield { ...check, context };
  for (const part of ['subject', 'action', 'resource'] as const) {
    for (const properties of fewerMembers(check[part].properties)) {
      yield { ...check, [part]: { ...check[part], properties } };
    }
  }
}

function* fewerMembers(object: JsonObject): Generator<JsonObject> {
  for (const members of without(Object.entries(object))) yield Object.fromEntries(members);
}
