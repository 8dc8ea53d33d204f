import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { interleave, percentileOf, spreadOf } from '../measure.js';
import type { Figure } from '../report.js';
import { type Countersign, startCountersign } from '../servers/countersign.js';
import { startPostgres } from '../servers/postgres.js';
import { GOVERNANCE_WITHOUT_LIMITS, rbacWorkload } from '../workloads.js';
import type { RunOptions, Suite } from './suite.js';

/** Servers on one database: changes are made through each in turn. */
const SERVERS = 3;

/** A change must hold on every server within so many milliseconds. */
const BOUND = { atMost: 250 };

/** Milliseconds between two questions to a server that does not show a change yet. */
const PAUSE = 2;

/** How many changes are made, in how many rounds. */
const STEADY = { rounds: 5, changes: 100 };
const QUICK = { rounds: 2, changes: 20 };

/** How long a change takes to hold on every server. */
export const propagation: Suite = {
  name: 'propagation',
  title: 'From a change through one of three servers to the answers of all of them',
  async run(options) {
    const redisUrl = await redisInReach();
    const notes = [`${SERVERS} servers, 10,000 rules, one rule more each time, nobody else asks`];
    if (redisUrl === undefined) notes.push('No Redis here: name one in `REDIS_URL`.');
    const groups: Group[] = [];
    try {
      groups.push(await startGroup('without Redis', options, undefined));
      if (redisUrl !== undefined) groups.push(await startGroup('with Redis', options, redisUrl));
      const { rounds, changes } = options.quick ? QUICK : STEADY;
      await interleave(groups, 1, (group) => changeAndSee(group, 2 * SERVERS));
      options.tell('  changing');
      const taken = await interleave(groups, rounds, (group) => changeAndSee(group, changes));
      return {
        figures: groups.flatMap(({ name }, index) => figuresOf(name, taken[index] ?? [])),
        notes,
      };
    } finally {
      for (const group of groups) await group.stop();
    }
  },
};

/** Servers on one database. */
interface Group {
  readonly name: string;
  readonly servers: readonly Countersign[];
  /** The changes made so far. */
  changes: number;
  stop(): Promise<void>;
}

/** Milliseconds from the request that made a change. */
interface Seen {
  /** To its answer. */
  readonly answered: number;
  /** To the first answer of each server that shows it. */
  readonly shown: readonly number[];
}

async function startGroup(
  name: string,
  { checkout, tell }: RunOptions,
  redisUrl: string | undefined,
): Promise<Group> {
  tell(`  starting ${SERVERS} servers ${name}`);
  const postgres = await startPostgres();
  const servers: Countersign[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server.stop()));
    await postgres.stop();
  };
  const rootKey = randomBytes(24).toString('hex');
  try {
    // One after the other: the first one applies the bundle.
    while (servers.length < SERVERS) {
      const server = await startCountersign({
        workload: rbacWorkload(10_000, { checks: 1 }),
        audit: 'off',
        governance: GOVERNANCE_WITHOUT_LIMITS,
        checkout,
        databaseUrl: postgres.url,
        redisUrl,
        rootKey,
      });
      servers.push(server);
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return { name, servers, changes: 0, stop };
}

async function changeAndSee(group: Group, changes: number): Promise<Seen[]> {
  const all: Seen[] = [];
  while (all.length < changes) all.push(await changeOnce(group));
  return all;
}

/** Adds a rule through the server whose turn it is, and asks all servers until they show it. */
async function changeOnce(group: Group): Promise<Seen> {
  group.changes += 1;
  const subject = `told-${group.changes}`;
  const maker = group.servers[group.changes % SERVERS];
  if (maker === undefined) throw new Error('there are no servers');
  const check = {
    tenant: 'tenant-0',
    subject,
    action: 'read',
    resource: 'document:told',
    context: { comment: 'CHG-1234 is it there yet' },
  };
  const began = performance.now();
  const [answered, ...shown] = await Promise.all([
    maker
      .addRule(['p', subject, 'tenant-0', 'document:told', 'read', 'allow'])
      .then(() => performance.now() - began),
    ...group.servers.map(async (server) => {
      while (!(await server.allows(check))) await delay(PAUSE);
      return performance.now() - began;
    }),
  ]);
  return { answered, shown };
}

function figuresOf(name: string, rounds: readonly (readonly Seen[])[]): Figure[] {
  const everywhere = ({ shown }: Seen): number => Math.max(...shown);
  // Whoever makes a change knows of it by its answer.
  const after = (seen: Seen): number => Math.max(0, everywhere(seen) - seen.answered);
  const all = rounds.flat();
  const figure = (what: string, of: (seen: Seen) => number, part: number): Figure => ({
    what: `${name}: ${what}, p${part * 100}`,
    unit: 'ms',
    value: spreadOf(rounds.map((round) => percentileOf(round.map(of), part))),
  });
  return [
    { ...figure('from the answer until every server shows it', after, 0.99), goal: BOUND },
    {
      what: `${name}: from the answer until every server shows it, the longest of ${all.length}`,
      unit: 'ms',
      value: spreadOf([Math.max(...all.map(after))]),
      goal: BOUND,
    },
    figure('from the answer until every server shows it', after, 0.5),
    figure('from the request until every server shows it', everywhere, 0.5),
    figure('from the request until every server shows it', everywhere, 0.99),
    figure('from the request to its answer', ({ answered }) => answered, 0.5),
    figure('from the request to its answer', ({ answered }) => answered, 0.99),
  ];
}

/** The Redis of `REDIS_URL`, or of this machine's usual port, where one answers. */
async function redisInReach(): Promise<string | undefined> {
  const url = process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379';
  const redis = new Redis(url, { lazyConnect: true, retryStrategy: () => null });
  redis.on('error', () => undefined);
  try {
    await redis.ping();
    return url;
  } catch {
    return undefined;
  } finally {
    redis.disconnect();
  }
}
