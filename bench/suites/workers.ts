import { CONNECTIONS } from '../http-load.js';
import { comparison, figuresOf, loadInTurn, QUICK, STEADY } from '../http-rounds.js';
import { workersOf } from '../processor-time.js';
import { startBare } from '../servers/bare.js';
import { startCountersign } from '../servers/countersign.js';
import { over } from '../servers/peer.js';
import { GOVERNANCE_WITHOUT_LIMITS, rbacWorkload } from '../workloads.js';
import type { Suite } from './suite.js';

/** What a second worker costs. */
export const workers: Suite = {
  name: 'workers',
  title: '`POST /check` with two workers and with one: audit `off`, two governance rules',
  async run({ quick, checkout, rules = 10_000 }) {
    const workload = rbacWorkload(rules, { allowed: true });
    const start = async (count: number, name: string) => {
      const server = await startCountersign({
        workload,
        audit: 'off',
        governance: GOVERNANCE_WITHOUT_LIMITS,
        checkout,
        workers: count,
      });
      return { ...server, name };
    };
    const pair = await start(2, 'two workers');
    if (workersOf(pair.pid) < 2) {
      await pair.stop();
      const note =
        'Not there yet: the server runs one process, whatever `COUNTERSIGN_WORKERS` says.';
      return { figures: [], notes: [note] };
    }
    const single = await start(1, 'one worker');
    const bare = async (count: number, name: string) => {
      const server = await startBare(single.target, count);
      return { ...server, name };
    };
    const barePair = await bare(2, 'two bare servers');
    const peers = [
      pair,
      single,
      barePair,
      await bare(1, 'one bare server'),
      over(2 * CONNECTIONS, pair),
      over(2 * CONNECTIONS, barePair),
    ] as const;
    const [two, one, twoBare, oneBare, twoMore, twoBareMore] = await loadInTurn(
      peers,
      quick ? QUICK : STEADY,
    );
    return {
      figures: [
        ...comparison(two, one, { cpu: { atMost: 1.15 } }),
        // As many to each process as to the one.
        ...comparison(twoMore, one, {}),
        // What a second process costs on this machine, whatever it does.
        ...comparison(twoBare, oneBare, {}),
        ...comparison(twoBareMore, oneBare, {}),
        ...figuresOf(one),
        ...figuresOf(two),
      ],
      notes: [
        'No rate limit: one process counts in memory what workers count in Redis or Postgres.',
        'The load generator takes one of the two processors: throughput does not double here.',
        'Over 64 connections each of two processes has as many as one alone has.',
      ],
    };
  },
};
