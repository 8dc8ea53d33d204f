import { loadInTurn, QUICK, STEADY } from '../http-rounds.js';
import { spreadOf } from '../measure.js';
import type { Figure } from '../report.js';
import { startBare } from '../servers/bare.js';
import { startCountersign } from '../servers/countersign.js';
import { rbacWorkload } from '../workloads.js';
import type { Suite } from './suite.js';

const BATCH = 100;

/** Decisions a second that `/check/batch` should give. */
const GOALS = [300_000, 100_000];

/** `POST /check/batch` with 100 checks each. */
export const batch: Suite = {
  name: 'batch',
  title: '`POST /check/batch` of 100: three governance rules, 32 connections',
  async run({ quick, checkout, rules = 10_000 }) {
    const workload = rbacWorkload(rules, { allowed: true, checks: 6_400 });
    const start = (audit: 'off' | 'buffered') =>
      startCountersign({ workload, audit, checkout, batch: BATCH });
    const off = await start('off');
    const peers = [off, await start('buffered'), await startBare(off.target)];
    const loaded = await loadInTurn(peers, quick ? QUICK : STEADY);
    const figures = loaded.flatMap(({ name, rounds }, index): Figure[] => [
      {
        what: `${name}: decisions`,
        unit: '/s',
        value: spreadOf(rounds.map(({ rate }) => rate * BATCH)),
        ...(GOALS[index] === undefined ? {} : { goal: { atLeast: GOALS[index] } }),
      },
      {
        what: `${name}: processor time a decision`,
        unit: 'µs',
        value: spreadOf(rounds.map(({ cpu }) => cpu / BATCH)),
      },
      { what: `${name}: p99`, unit: 'ms', value: spreadOf(rounds.map(({ p99 }) => p99)) },
    ]);
    return { figures, notes: [`${rules.toLocaleString('en')} rules`] };
  },
};
