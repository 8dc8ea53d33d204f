import fc from 'fast-check';
import type { EngineMaker } from './compare.js';
import { differenceIn } from './compare.js';
import type { ModelKind } from './models.js';
import { reported } from './report.js';
import { type Scenario, scenarios, type ScenarioSize } from './scenario.js';
import { type Finding, findingIn, smallest } from './smallest.js';
import type { Tally } from './tally.js';

/** Scenarios to hold two engines against each other in. */
export interface Run {
  readonly kind: ModelKind;
  readonly size: ScenarioSize;
  /** How many scenarios. */
  readonly count: number;
  readonly seed: number;
}

/** Runs scenarios until the engines differ in one: that one, as it was drawn. */
export function firstFinding(run: Run, make: EngineMaker, tally?: Tally): Finding | undefined {
  let found: Finding | undefined;
  const holds = (scenario: Scenario): boolean => {
    try {
      if (differenceIn(scenario, make, tally) === undefined) return true;
    } catch {
      // Told below, with the difference that an error is.
    }
    found = findingIn(scenario, make);
    return found === undefined;
  };
  fc.check(fc.property(scenarios(run.kind, run.size), holds), {
    seed: run.seed,
    numRuns: run.count,
    endOnFailure: true,
  });
  return found;
}

/** Throws where the engines differ, with the smallest case that shows it and how to draw it again. */
export function assertSame(run: Run, make: EngineMaker, tally?: Tally): void {
  const found = firstFinding(run, make, tally);
  if (found === undefined) return;
  const { kind, seed } = run;
  throw new Error(
    `the engines differ (seed ${seed}, ${JSON.stringify(kind)}):\n${reported(smallest(found, make))}`,
  );
}
