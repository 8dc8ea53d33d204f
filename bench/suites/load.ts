import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import pg from 'pg';
import { HERE } from '../checkout.js';
import type { Load } from '../load-probe.js';
import { interleave, spreadOf } from '../measure.js';
import type { Figure } from '../report.js';
import { type Countersign, startCountersign } from '../servers/countersign.js';
import { startPostgres } from '../servers/postgres.js';
import { GOVERNANCE_WITHOUT_LIMITS, rbacWorkload, type Workload } from '../workloads.js';
import type { Suite } from './suite.js';

const PROBE = new URL('../load-probe.ts', import.meta.url).pathname;
const TSX = import.meta.resolve('tsx/esm');
const run = promisify(execFile);

/** A million rules: how long they take to come into force, what they weigh, what one more costs. */
export const load: Suite = {
  name: 'load',
  title: 'Rules from Postgres to a snapshot that decides, and one rule more',
  async run({ quick, checkout = HERE, rules = quick ? 100_000 : 1_000_000, tell }) {
    const postgres = await startPostgres();
    try {
      tell('  applying the bundle');
      const workload = rbacWorkload(rules, { checks: 1 });
      const server = await startCountersign({
        workload,
        audit: 'off',
        checkout,
        databaseUrl: postgres.url,
        // Counted in Postgres, which is busy with a million rules: a check may then get 503.
        governance: GOVERNANCE_WITHOUT_LIMITS,
      });
      const changes: Figure[] = [];
      try {
        tell('  adding rules');
        const added = await addRules(server, postgres.url, quick ? 5 : 30);
        tell('  applying another bundle');
        changes.push(...(await applyAnother(server, workload)), ...added);
      } finally {
        await server.stop();
      }
      tell('  loading');
      const loads = await repeat(quick ? 1 : 5, async () => {
        const args = ['--expose-gc', '--import', TSX, PROBE, postgres.url, checkout];
        const { stdout } = await run(process.execPath, args);
        return JSON.parse(stdout) as Load;
      });
      return {
        figures: [...loadFigures(loads), ...changes],
        notes: [`${rules.toLocaleString('en')} rules`],
      };
    } finally {
      await postgres.stop();
    }
  },
};

function loadFigures(loads: readonly Load[]): Figure[] {
  const spread = (of: (load: Load) => number) => spreadOf(loads.map(of));
  return [
    {
      what: 'from Postgres to a snapshot that decides',
      unit: 's',
      value: spread(({ milliseconds }) => milliseconds / 1_000),
      goal: { atMost: 8 },
    },
    {
      what: 'meanwhile the event loop is held, p99',
      unit: 'ms',
      value: spread(({ heldP99 }) => heldP99),
      goal: { atMost: 20 },
    },
    {
      what: 'meanwhile the event loop is held, at most',
      unit: 'ms',
      value: spread(({ heldMost }) => heldMost),
      goal: { atMost: 50 },
    },
    {
      what: 'a rule in memory: heap and buffers, garbage collected',
      unit: 'B',
      value: spread(({ heap, rules }) => heap / rules),
      goal: { atMost: 250 },
    },
    {
      what: 'a rule in memory: resident, garbage collected',
      unit: 'B',
      value: spread(({ resident, rules }) => resident / rules),
      goal: { atMost: 250 },
    },
    {
      what: 'one rule added: from its commit until it decides in that process',
      unit: 'ms',
      value: spreadOf(loads.flatMap(({ added }) => added)),
      goal: { atMost: 5 },
    },
  ];
}

/**
 * Has the server take a bundle of one rule more, and asks it how late its own timer of 10 ms was
 * meanwhile. Those 10 ms are in the figures.
 */
async function applyAnother(server: Countersign, workload: Workload): Promise<Figure[]> {
  const more = ['g', 'newcomer', 'role-1', 'tenant-0'] as const;
  const held = () => server.metrics('nodejs_eventloop_lag_p99_seconds', MOST_HELD);
  // What it has counted until now is forgotten once it is read.
  await held();
  const took = await milliseconds(() =>
    server.apply({ ...workload, rules: [...workload.rules, more] }),
  );
  const [p99 = Number.NaN, most = Number.NaN] = await held();
  const once = (what: string, unit: Figure['unit'], value: number): Figure => ({
    what: `another bundle over HTTP: ${what}`,
    unit,
    value: spreadOf([value]),
  });
  return [
    once('until it is in force', 's', took / 1_000),
    {
      ...once('meanwhile the event loop is held, p99', 'ms', p99 * 1_000),
      goal: { atMost: 20 },
    },
    {
      ...once('meanwhile the event loop is held, at most', 'ms', most * 1_000),
      goal: { atMost: 50 },
    },
  ];
}

/**
 * Adds rules one by one. The answer comes once the rule is in force; that a check is then allowed by
 * it alone is seen to. Beside it the least that any change costs: a commit in the same Postgres.
 */
async function addRules(server: Countersign, url: string, times: number): Promise<Figure[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  let added = 0;
  const change = async (): Promise<number> => {
    added += 1;
    const subject = `added-${added}`;
    const took = await milliseconds(() =>
      server.addRule(['p', subject, 'tenant-0', 'document:added', 'read', 'allow']),
    );
    await server.expectAllowed({ ...ADDED, subject });
    return took;
  };
  const commit = () => milliseconds(() => client.query('INSERT INTO bench_commit VALUES (1)'));
  try {
    await client.query('CREATE TABLE bench_commit (at integer)');
    await interleave([change, commit], 3, (measure) => measure());
    const rounds = await interleave([change, commit], times, (measure) => measure());
    const [changes = [], commits = []] = rounds;
    return [
      {
        what: 'one rule added over HTTP, commit and all, until it is answered',
        unit: 'ms',
        value: spreadOf(changes),
      },
      { what: 'one commit in the same Postgres', unit: 'ms', value: spreadOf(commits) },
    ];
  } finally {
    await client.end();
  }
}

/** The longest that a timer of the server's was late since this was last read, and its 10 ms. */
const MOST_HELD = 'nodejs_eventloop_lag_max_seconds';

/** What the added rules allow. */
const ADDED = {
  tenant: 'tenant-0',
  action: 'read',
  resource: 'document:added',
  context: { comment: 'CHG-1234 was it added' },
};

async function milliseconds(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

async function repeat<Result>(times: number, work: () => Promise<Result>): Promise<Result[]> {
  const results: Result[] = [];
  for (let time = 0; time < times; time += 1) results.push(await work());
  return results;
}
