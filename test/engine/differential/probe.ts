/**
 * Looks for a difference between the engine beside it and node-casbin, and prints `same` or
 * `different …`. Run by `faults.test.ts` in copies with a fault in them. An argument names the one
 * effect to look under.
 */
import { createEngine } from '../../../src/engine/create-engine.js';
import { EFFECTS } from './alphabet.js';
import { firstFinding, type Run } from './run.js';
import { Tally } from './tally.js';

const SEED = 4_000;
/** Comparisons: more than twice what the last of the faults takes to show. */
const ENOUGH = 30_000;

const only = process.argv[2];

/** Short runs of every kind in turn: most faults show in one kind of policy alone. */
function* runs(): Generator<Run> {
  for (let round = 0; ; round += 1) {
    for (const [index, effect] of EFFECTS.entries()) {
      if (only !== undefined && only !== effect) continue;
      const kind = { effect, hasTenant: round % 2 === 0 };
      const seed = SEED + round * EFFECTS.length + index;
      yield { kind, size: { checks: 15, changes: 8 }, count: 3, seed };
      yield { kind, size: { checks: 60 }, count: 5, seed };
    }
  }
}

function probe(): string {
  const tally = new Tally();
  for (const run of runs()) {
    const finding = firstFinding(run, createEngine, tally);
    const so = `after ${tally.comparisons} comparisons`;
    if (finding !== undefined) return `different ${so}: ${finding.difference.asked}`;
    if (tally.comparisons > ENOUGH) break;
  }
  return 'same';
}

process.stdout.write(`${probe()}\n`);
