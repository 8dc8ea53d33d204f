import type { EngineMaker } from './compare.js';
import { EFFECTS } from './alphabet.js';
import { firstFinding, type Run } from './run.js';

const SEED = 4_000;

/** Short runs of every kind in turn, by number: most faults show in one kind of policy alone. */
export function probeRun(number: number): Run {
  const nth = Math.floor(number / 2);
  const effect = EFFECTS[nth % EFFECTS.length] as (typeof EFFECTS)[number];
  const hasTenant = Math.floor(nth / EFFECTS.length) % 2 === 0;
  const rest = { kind: { effect, hasTenant }, seed: SEED + nth };
  if (number % 2 === 0) return { ...rest, size: { checks: 15, changes: 8 }, count: 3 };
  return { ...rest, size: { checks: 60 }, count: 5 };
}

/** The first of the runs in which the engine differs from node-casbin. */
export function firstToDiffer(make: EngineMaker, numbers: Iterable<number>): number | undefined {
  for (const number of numbers) {
    if (firstFinding(probeRun(number), make) !== undefined) return number;
  }
  return undefined;
}
