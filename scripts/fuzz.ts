/**
 * Holds the indexed engine against node-casbin in policies drawn at random, for as long as said:
 *
 *   npm run fuzz                               5 minutes, another seed each time
 *   npm run fuzz -- --minutes 60 --seed 7      the same questions in the same order for the same seed
 *   npm run fuzz -- --all                      goes on after the first difference
 *
 * Prints the smallest case of each difference; ends with 1 where there was one, with 2 where it
 * was called wrongly.
 */
import { parseArgs } from 'node:util';
import { createEngine } from '../src/engine/create-engine.js';
import { EFFECTS } from '../test/engine/differential/alphabet.js';
import { reported } from '../test/engine/differential/report.js';
import { firstFinding, type Run } from '../test/engine/differential/run.js';
import { smallest } from '../test/engine/differential/smallest.js';
import { Tally } from '../test/engine/differential/tally.js';

interface Options {
  readonly minutes: number;
  readonly seed: number;
  readonly all: boolean;
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '5' },
      seed: { type: 'string', default: String(Math.floor(Math.random() * 1e9)) },
      all: { type: 'boolean', default: false },
    },
  });
  const options = { minutes: Number(values.minutes), seed: Number(values.seed), all: values.all };
  if (!(options.minutes > 0) || !Number.isSafeInteger(options.seed)) {
    throw new Error('`--minutes` takes a number above 0, `--seed` a whole number');
  }
  return options;
}

/** Short runs without end: of each effect, with tenants and without, standing still and changing. */
function* runs(seed: number): Generator<Run> {
  for (let round = 0; ; round += 1) {
    for (const [index, effect] of EFFECTS.entries()) {
      for (const hasTenant of [true, false]) {
        const own = (seed + round * 100 + index * 2 + Number(hasTenant)) | 0;
        yield { kind: { effect, hasTenant }, size: { checks: 60 }, count: 25, seed: own };
        const changing = { checks: 15, changes: 8 };
        yield { kind: { effect, hasTenant }, size: changing, count: 10, seed: ~own };
      }
    }
  }
}

function fuzz({ minutes, seed, all }: Options): number {
  const tally = new Tally();
  const deadline = Date.now() + minutes * 60_000;
  let found = 0;
  print(`seed ${seed}, ${minutes} minutes`);
  for (const run of runs(seed)) {
    if (Date.now() > deadline || (found > 0 && !all)) break;
    const finding = firstFinding(run, createEngine, tally);
    if (finding === undefined) continue;
    found += 1;
    const { kind, size } = run;
    print(`\n--- difference ${found}: ${JSON.stringify({ ...kind, ...size, seed: run.seed })}`);
    print(reported(smallest(finding, createEngine)));
  }
  print(`\n${summary(tally)}\n${found} differences`);
  return found > 0 ? 1 : 0;
}

function summary({
  comparisons,
  scenarios,
  answers,
  engines,
  changesTaken,
  changesRefused,
}: Tally) {
  const shown = (counts: ReadonlyMap<string, number>) =>
    [...counts].map(([name, count]) => `${name} ${count}`).join(', ');
  return [
    `${comparisons} comparisons in ${scenarios} policies (${shown(engines)})`,
    `answers: ${shown(answers)}`,
    `changes: ${changesTaken} taken in place, ${changesRefused} by a new engine`,
  ].join('\n');
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function main(): number {
  let options: Options;
  try {
    options = readOptions();
  } catch (error) {
    process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
    return 2;
  }
  return fuzz(options);
}

process.exitCode = main();
