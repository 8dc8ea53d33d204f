import { type Decider, disagreements, nodeCasbin, ourEngine } from '../engines.js';
import { interleave, ratioOf, spreadOf } from '../measure.js';
import type { Figure } from '../report.js';
import { timedCalls } from '../timing.js';
import {
  domainsWorkload,
  KEY_MATCHES,
  keyMatchWorkload,
  rbacWorkload,
  type Workload,
} from '../workloads.js';
import type { RunOptions, Suite } from './suite.js';

/** How often each peer is measured. */
const ROUNDS = { steady: 9, quick: 3 };

/** Milliseconds of one measurement; node-casbin, which is slow, gets more for as few calls. */
const OUR_BUDGET = 150;
const THEIR_BUDGET = 400;

/** Distinct checks: so many that they do not all stay in the processor's nearest memory. */
const CHECKS = 20_000;

/** Sizes, and how many times as fast as node-casbin ours should be there. */
const RBAC_GOALS: ReadonlyMap<number, number | undefined> = new Map([
  [1_000, undefined],
  [10_000, 1_000],
  [100_000, undefined],
  [1_000_000, 50_000],
]);

/** A decision in the process: ours against itself at other sizes, and against node-casbin. */
export const engine: Suite = {
  name: 'engine',
  title: 'A decision in the process',
  async run(options) {
    const sizes = [...RBAC_GOALS.keys()].filter((size) => !options.quick || size < 1_000_000);
    const figures = await growth(sizes, options);
    for (const size of sizes) {
      const workload = rbacWorkload(size, { checks: CHECKS });
      const title = `RBAC, ${size.toLocaleString('en')} rules`;
      figures.push(...(await againstCasbin(title, workload, RBAC_GOALS.get(size), options)));
    }
    for (const name of KEY_MATCHES) {
      const title = `${name}, 100,000 rules`;
      const workload = keyMatchWorkload(name, 100_000);
      figures.push(...(await againstCasbin(title, workload, 2_000, options)));
    }
    return { figures, notes: [] };
  },
};

/** Our engine at several sizes in turn. */
async function growth(sizes: readonly number[], options: RunOptions): Promise<Figure[]> {
  options.tell('  ours, at each size');
  const checks = CHECKS;
  const kinds = [
    ...sizes.map((size) => ({ size, title: '', workload: rbacWorkload(size, { checks }) })),
    {
      size: 100_000,
      title: ' in one tenant',
      workload: rbacWorkload(100_000, { tenants: 1, checks }),
    },
    ...sizes.map((size) => ({
      size,
      title: " of Casbin's own model",
      workload: domainsWorkload(size, { checks }),
    })),
  ];
  const each = [];
  for (const { size, title, workload } of kinds) {
    const ours = await ourEngine(workload, options.checkout);
    const what = `RBAC, ${size.toLocaleString('en')} rules${title}: a decision of the ${ours.name}`;
    each.push({ size, what, time: timedCalls(ours.decide, OUR_BUDGET) });
  }
  const rounds = await interleave(each, roundsOf(options), ({ time }) => time());
  const largest = sizes.length - 1;
  return [
    ...each.map(({ what, size }, index): Figure => {
      const value = spreadOf(rounds[index] ?? []);
      return { what, unit: 'µs', value, ...(size < 10_000 ? {} : { goal: { atMost: 2 } }) };
    }),
    {
      what: `RBAC: time at ${sizes[largest]?.toLocaleString('en')} rules ÷ at 1,000`,
      unit: 'times',
      value: ratioOf(rounds[largest] ?? [], rounds[0] ?? []),
      goal: { atMost: 3 },
    },
  ];
}

/** Our engine and node-casbin in turn, on the same rules and checks. */
async function againstCasbin(
  title: string,
  workload: Workload,
  goal: number | undefined,
  options: RunOptions,
): Promise<Figure[]> {
  options.tell(`  against node-casbin: ${title}`);
  const ours = await ourEngine(workload, options.checkout);
  const theirs = await nodeCasbin(workload);
  compareAnswers(title, ours, theirs, workload.rules.length > 100_000 ? 5 : 20);
  const timed = [timedCalls(ours.decide, OUR_BUDGET), timedCalls(theirs.decide, THEIR_BUDGET)];
  const rounds = await interleave(timed, roundsOf(options), (time) => time());
  const [ofOurs = [], ofTheirs = []] = rounds;
  return [
    {
      what: `${title}: time of node-casbin ÷ ours`,
      unit: 'times',
      value: ratioOf(ofTheirs, ofOurs),
      ...(goal === undefined ? {} : { goal: { atLeast: goal } }),
    },
    { what: `${title}: ${ours.name}`, unit: 'µs', value: spreadOf(ofOurs) },
    { what: `${title}: ${theirs.name}`, unit: 'µs', value: spreadOf(ofTheirs) },
  ];
}

/** Two that do not answer alike cannot be compared. */
function compareAnswers(title: string, ours: Decider, theirs: Decider, count: number): void {
  const wrong = disagreements(ours, theirs, count);
  if (wrong > 0) throw new Error(`${title}: node-casbin decides ${wrong} of ${count} otherwise`);
}

function roundsOf({ quick }: RunOptions): number {
  return quick ? ROUNDS.quick : ROUNDS.steady;
}
