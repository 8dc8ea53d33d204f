import { isDeepStrictEqual } from 'node:util';
import type { Engine, PreparedChange, RuleDifference } from '../../../src/engine/engine.js';
import type { Model } from '../../../src/engine/model.js';
import { createReferenceEngine } from '../../../src/engine/reference-engine.js';
import type { Check, RuleLine } from '../../../src/vocabulary.js';
import { changed, type Scenario } from './scenario.js';
import type { Tally } from './tally.js';

/** Makes the engine that is held against node-casbin. */
export type EngineMaker = (model: Model, lines: readonly RuleLine[]) => Engine;

/** Something that the two engines do not agree on. */
export interface Difference {
  /** What was asked: a member of `Engine`. */
  readonly asked: string;
  /** What node-casbin says. */
  readonly expected: unknown;
  readonly actual: unknown;
  /** Undefined where it was no question about a check. */
  readonly check: Check | undefined;
  /** How many of the changes had been made. */
  readonly step: number;
}

/**
 * Asks both engines everything of a scenario: before its changes and after each, when the engine under
 * test is held against a reference that was freshly loaded. Where it does not take a change, nothing
 * may have changed, and another is built. Gives the first difference.
 */
export function differenceIn(
  scenario: Scenario,
  make: EngineMaker,
  tally?: Tally,
): Difference | undefined {
  const { model } = scenario.source;
  let lines = scenario.lines;
  let engine = make(model, lines);
  let reference = createReferenceEngine(model, lines);
  tally?.meet(scenario, engine);
  let difference = firstDifference(scenario, reference, engine, 0, tally);
  for (const [index, change] of scenario.changes.entries()) {
    if (difference !== undefined) return difference;
    lines = changed(lines, change);
    const before = () => firstDifference(scenario, reference, engine, index, tally);
    const prepared = prepare(engine, change, () => (difference ??= before()));
    tally?.change(scenario, prepared !== undefined);
    // Nothing shows of a change that is refused, or that is ready and not committed.
    difference ??= before();
    reference = createReferenceEngine(model, lines);
    if (prepared === undefined) engine = make(model, lines);
    else
      difference ??= committed(prepared, () =>
        firstDifference(scenario, reference, engine, index + 1, tally),
      );
    difference ??= firstDifference(scenario, reference, engine, index + 1, tally);
  }
  return difference;
}

/** Prepares a change as a server does, and looks once while that is under way. */
function prepare(
  engine: Engine,
  change: RuleDifference,
  look: () => void,
): PreparedChange | undefined {
  const work = engine.preparing(change);
  const half = change.added.length + change.removed.length;
  for (let step = 0; ; step += 1) {
    const { done, value } = work.next();
    if (done === true) return value;
    if (step === half) look();
  }
}

/** Commits a change, and looks at once, in the midst of the tidying, and so before it is over. */
function committed(
  change: PreparedChange,
  look: () => Difference | undefined,
): Difference | undefined {
  change.commit();
  let difference = look();
  let step = 0;
  for (const tidying = change.tidying(); tidying.next().done !== true; step += 1) {
    if (step === 1) difference ??= look();
  }
  return difference;
}

function firstDifference(
  { checks }: Scenario,
  reference: Engine,
  engine: Engine,
  step: number,
  tally?: Tally,
): Difference | undefined {
  if (engine.size !== reference.size) {
    return { asked: 'size', expected: reference.size, actual: engine.size, check: undefined, step };
  }
  for (const [index, check] of checks.entries()) {
    const answer = reference.decide(check);
    const difference =
      unlike('decide', answer, engine.decide(check)) ??
      rolesDifference(reference, engine, check, checks[index - 1] ?? check);
    if (difference !== undefined) return { ...difference, check, step };
    tally?.compare(answer);
  }
  return undefined;
}

type Unlike = Pick<Difference, 'asked' | 'expected' | 'actual'>;

function unlike(asked: string, expected: unknown, actual: unknown): Unlike | undefined {
  return isDeepStrictEqual(actual, expected) ? undefined : { asked, expected, actual };
}

/** Holds against each other what the engines say of the subject of a check, and of another's. */
function rolesDifference(
  reference: Engine,
  engine: Engine,
  check: Check,
  other: Check,
): Unlike | undefined {
  const { tenant, subject } = check;
  const alone = { tenant, subject };
  const named = (one: Engine) =>
    [subject.id, other.subject.id, 'admin'].map((name) => [
      name,
      one.isRole(name, tenant),
      one.isRole(name, other.tenant),
    ]);
  return (
    unlike('rolesOf', reference.rolesOf(check), engine.rolesOf(check)) ??
    unlike('rolesOf the subject', reference.rolesOf(alone), engine.rolesOf(alone)) ??
    unlike('subjectIsRole', reference.subjectIsRole(check), engine.subjectIsRole(check)) ??
    unlike('isRole', named(reference), named(engine))
  );
}
