import { comparison, figuresOf, loadInTurn, QUICK, STEADY } from '../http-rounds.js';
import { startBare } from '../servers/bare.js';
import { startCountersign } from '../servers/countersign.js';
import { everNew } from '../servers/peer.js';
import { rbacWorkload } from '../workloads.js';
import type { Suite } from './suite.js';

/** `POST /check` against the least that any service in Node does. */
export const http: Suite = {
  name: 'http',
  title: '`POST /check` over HTTP: three governance rules, 32 connections',
  async run({ quick, checkout, rules = 10_000 }) {
    const off = await startCountersign({
      workload: rbacWorkload(rules, { allowed: true }),
      audit: 'off',
      checkout,
    });
    const bare = await startBare(off.target);
    const peers = [off, bare, everNew(off), everNew(bare)] as const;
    const [ofOff, ofBare, ofNew, ofBareNew] = await loadInTurn(peers, quick ? QUICK : STEADY);
    return {
      figures: [
        ...figuresOf(ofBare),
        ...figuresOf(ofOff),
        ...comparison(ofOff, ofBare, { rate: { atLeast: 0.7 }, p99: { atMost: 3 } }),
        ...comparison(ofNew, ofBareNew, {}),
        ...figuresOf(ofNew),
      ],
      notes: [`${rules.toLocaleString('en')} rules`],
    };
  },
};
