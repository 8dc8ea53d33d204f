import { fork } from 'node:child_process';
import { once } from 'node:events';
import { HERE } from '../checkout.js';
import { CHECKS, type ProbeReady, type ProbeTime } from '../engine-probe.js';
import { type Decider, disagreements, nodeCasbin, ourEngine } from '../engines.js';
import { interleave, ratioOf, spreadOf } from '../measure.js';
import type { Figure } from '../report.js';
import { timedCalls } from '../timing.js';
import { KEY_MATCHES, keyMatchWorkload, rbacWorkload, type Workload } from '../workloads.js';
import type { RunOptions, Suite } from './suite.js';

/** How often each peer is measured. */
const ROUNDS = { steady: 9, quick: 3 };

/** Milliseconds of one measurement; node-casbin, which is slow, gets more for as few calls. */
const OUR_BUDGET = 150;
const THEIR_BUDGET = 400;

const PROBE = new URL('../engine-probe.ts', import.meta.url);

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
  const kinds = [
    ...sizes.map((size) => ({ size, title: '', kind: 'rbac', tenants: 0 })),
    { size: 100_000, title: ' in one tenant', kind: 'rbac', tenants: 1 },
    ...sizes.map((size) => ({
      size,
      title: " of Casbin's own model",
      kind: 'domains',
      tenants: 0,
    })),
  ];
  const probes: Probe[] = [];
  try {
    for (const each of kinds) probes.push(await startProbe(each, options));
    const rounds = await interleave(probes, roundsOf(options), (probe) => probe.measure());
    const largest = sizes.length - 1;
    return [
      ...kinds.map(({ size, title }, index): Figure => {
        const what = `RBAC, ${size.toLocaleString('en')} rules${title}: a decision of the ${probes[index]?.name}`;
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
  } finally {
    for (const probe of probes) probe.stop();
  }
}

/** An engine in a process of its own. */
interface Probe {
  readonly name: string;
  /** Microseconds of a decision. */
  measure(): Promise<number>;
  stop(): void;
}

async function startProbe(
  { kind, size, tenants }: { kind: string; size: number; tenants: number },
  { checkout = HERE }: RunOptions,
): Promise<Probe> {
  const child = fork(PROBE, [kind, String(size), String(tenants), checkout]);
  const ended = once(child, 'exit').then(() => {
    throw new Error(`the engine of ${size} rules ended`);
  });
  ended.catch(() => undefined);
  const heard = async <Message>(): Promise<Message> => {
    const [message] = (await Promise.race([once(child, 'message'), ended])) as [Message];
    return message;
  };
  const { name } = await heard<ProbeReady>();
  return {
    name,
    measure: async () => {
      child.send('measure');
      return (await heard<ProbeTime>()).microseconds;
    },
    stop: () => void child.kill(),
  };
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
