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
/** Comparisons; twice as many as the last of the faults takes to show, far fewer than `npm test` makes. */
const ENOUGH = 12_000;

const only = process.argv[2];

/** Short runs of every kind in turn: most faults show in one kind of policy alone. */
function* runs(): Generator<Run> {
  for (let seed = SEED; ; seed += 1) {
    for (const effect of EFFECTS.filter((name) => (only ?? name) === name)) {
      const kind = { effect, hasTenant: seed % 2 === 0 };
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
