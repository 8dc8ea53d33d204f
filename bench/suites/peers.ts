import { comparison, figuresOf, loadInTurn, QUICK, STEADY } from '../http-rounds.js';
import { startBare } from '../servers/bare.js';
import { findCerbos, startCerbos } from '../servers/cerbos.js';
import { cerbosPolicy } from '../servers/cerbos-policy.js';
import { startCountersign } from '../servers/countersign.js';
import type { Peer, Target } from '../servers/peer.js';
import { checkBody, rbacWorkload, type Workload } from '../workloads.js';
import type { Suite } from './suite.js';

/** Checks that both servers are asked before they are measured, denied ones among them. */
const COMPARED = 200;

/** The Cerbos server, with the same policy written for it. */
export const peers: Suite = {
  name: 'peers',
  title: '`POST /check` against the Cerbos server: the same policy, 32 connections',
  async run({ quick, checkout, rules = 10_000 }) {
    const program = findCerbos();
    if (program === undefined) {
      return { figures: [], notes: ['Skipped: npm has no Cerbos server for this machine.'] };
    }
    const workload = rbacWorkload(rules, { allowed: true });
    const start = (audit: 'off' | 'buffered') =>
      startCountersign({ workload, audit, checkout, governance: 'rules: []\n' });
    const ours = await start('off');
    const started = [
      await startCerbos(program, workload),
      ours,
      await start('buffered'),
      await startBare(ours.target),
    ] as const;
    await compareAnswers(started[0], ours, rbacWorkload(rules, { checks: COMPARED }));
    const [cerbos, off, buffered, bare] = await loadInTurn(started, quick ? QUICK : STEADY);
    return {
      figures: [
        ...comparison(off, cerbos, { rate: { atLeast: 8 }, p99: { atMost: 0.25 } }),
        ...comparison(buffered, cerbos, { rate: { atLeast: 4 } }),
        // What no server in Node can be beyond.
        ...comparison(bare, cerbos, {}),
        ...[cerbos, off, buffered, bare].flatMap(figuresOf),
      ],
      notes: [`${rules.toLocaleString('en')} rules, no governance rules`],
    };
  },
};

/** Throws where the two do not decide alike: then there is nothing to compare. */
async function compareAnswers(cerbos: Peer, ours: Peer, workload: Workload): Promise<void> {
  const { body } = cerbosPolicy(workload);
  for (const check of workload.checks) {
    const [their, our] = [
      await isAllowed(cerbos.target, body(check)),
      await isAllowed(ours.target, checkBody(check)),
    ];
    if (their !== our) throw new Error(`Cerbos answers otherwise: ${JSON.stringify(check)}`);
  }
}

async function isAllowed(target: Target, body: object): Promise<boolean> {
  const { origin, path, headers, expect } = target;
  const asked = { method: 'POST', headers, body: JSON.stringify(body) };
  const answer = await fetch(`${origin}${path}`, asked);
  if (answer.status !== 200) throw new Error(`${origin}: ${await answer.text()}`);
  return (await answer.text()).includes(expect);
}
