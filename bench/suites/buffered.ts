import { setTimeout as delay } from 'node:timers/promises';
import { type LoadGenerator, startLoadGenerator } from '../http-load.js';
import { comparison, figuresOf, type Measured, QUICK, STEADY, warmUp } from '../http-rounds.js';
import { spreadOf } from '../measure.js';
import type { Figure } from '../report.js';
import { startBare } from '../servers/bare.js';
import { type Countersign, startCountersign } from '../servers/countersign.js';
import { rbacWorkload } from '../workloads.js';
import type { Suite } from './suite.js';

/** Seconds of load without a pause, and between two looks at the backlog. */
const SUSTAINED = 60;
const WATCH = 0.5;

/** Seconds after which events that wait are taken for lost. */
const GIVE_UP = 30;

/** `POST /check` with every decision recorded, by a Postgres on the same processors. */
export const buffered: Suite = {
  name: 'buffered',
  title: '`POST /check` with audit `buffered`: three governance rules, 32 connections',
  async run({ quick, checkout, rules = 10_000 }) {
    const workload = rbacWorkload(rules, { allowed: true });
    const ours = await startCountersign({ workload, audit: 'buffered', checkout });
    const bare = await startBare(ours.target);
    const generator = startLoadGenerator();
    const pace = quick ? QUICK : STEADY;
    const seconds = quick ? 10 : SUSTAINED;
    try {
      for (const peer of [ours, bare]) await warmUp(peer, generator);
      // The bare server just before and just after: a minute is long on a shared machine.
      const before = await generator.load(bare, pace.round);
      const { sustained, backlog, caughtUp } = await sustain(ours, generator, seconds);
      const after = await generator.load(bare, pace.round);
      const ofBare: Measured = { name: bare.name, rounds: [before, after] };
      const ofOurs: Measured = { name: ours.name, rounds: [sustained, sustained] };
      return {
        figures: [
          ...comparison(ofOurs, ofBare, { rate: { atLeast: 0.4 } }),
          ...backlogFigures(backlog, sustained.rate),
          {
            what: 'until every event is written, after the last request',
            unit: 's',
            value: spreadOf([caughtUp]),
            goal: { atMost: 1 },
          },
          ...figuresOf(ofOurs),
          {
            what: `${ours.name}: processor time of its Postgres a request`,
            unit: 'µs',
            value: spreadOf([sustained.otherCpu]),
          },
          ...figuresOf(ofBare),
        ],
        notes: [
          `${rules.toLocaleString('en')} rules; ${seconds} seconds without a pause, so one round of ours`,
        ],
      };
    } finally {
      generator.stop();
      await Promise.all([ours.stop(), bare.stop()]);
    }
  },
};

/** Loads the server without a pause, and reads twice a second how many events wait to be written. */
async function sustain(server: Countersign, generator: LoadGenerator, seconds: number) {
  const backlog: number[] = [];
  const load = { over: false };
  const waiting = async () => (await server.metrics('countersign_audit_pending'))[0] ?? Number.NaN;
  const watch = async (): Promise<void> => {
    while (!load.over) {
      backlog.push(await waiting());
      await delay(WATCH * 1_000);
    }
  };
  const watching = watch();
  const sustained = await generator.load(server, seconds);
  const caughtUp = await untilNone(waiting);
  load.over = true;
  await watching;
  return { sustained, backlog, caughtUp };
}

/** The seconds until no event waits any more. */
async function untilNone(waiting: () => Promise<number>): Promise<number> {
  const began = performance.now();
  for (;;) {
    const left = await waiting();
    const seconds = (performance.now() - began) / 1_000;
    if (left === 0) return seconds;
    if (seconds > GIVE_UP) throw new Error(`${left} events still wait after ${GIVE_UP} seconds`);
    await delay(20);
  }
}

/** A backlog that grows shows that decisions are taken faster than they are written. */
function backlogFigures(backlog: readonly number[], rate: number): Figure[] {
  // The first seconds fill it.
  const settled = backlog.slice(Math.floor(backlog.length / 4));
  return [
    {
      what: 'events that wait: how much more of them each second, as a share of the decisions',
      unit: '%',
      value: spreadOf([slopeOf(settled) / WATCH / rate]),
      goal: { atMost: 0.01 },
    },
    {
      what: 'events that wait: seconds worth of decisions',
      unit: 's',
      value: spreadOf(settled.map((waiting) => waiting / rate)),
      goal: { atMost: 1 },
    },
  ];
}

/** By how much values rise from one to the next: the slope of the line that fits them best. */
function slopeOf(values: readonly number[]): number {
  const middle = (values.length - 1) / 2;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  let product = 0;
  let square = 0;
  for (const [index, value] of values.entries()) {
    product += (index - middle) * (value - mean);
    square += (index - middle) ** 2;
  }
  return product / square;
}
