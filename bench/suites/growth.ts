import { comparison, figuresOf, loadInTurn, QUICK, STEADY } from '../http-rounds.js';
import { startCountersign } from '../servers/countersign.js';
import { everNew } from '../servers/peer.js';
import { rbacWorkload } from '../workloads.js';
import type { Suite } from './suite.js';

/** Distinct checks: so many that they do not all stay in the processor's nearest memory. */
const CHECKS = 20_000;

/** `POST /check` with a thousand times the rules. */
export const growth: Suite = {
  name: 'growth',
  title: '`POST /check` with 1,000 rules and with many: audit `off`, three governance rules',
  async run({ quick, checkout, rules = 1_000_000 }) {
    const start = async (size: number) => {
      const workload = rbacWorkload(size, { allowed: true, checks: CHECKS });
      const server = await startCountersign({ workload, audit: 'off', checkout });
      return { ...server, name: `${size.toLocaleString('en')} rules` };
    };
    const [ofMany, ofFew] = [await start(rules), await start(1_000)];
    const peers = [ofMany, ofFew, everNew(ofMany), everNew(ofFew)] as const;
    const [many, few, manyNew, fewNew] = await loadInTurn(peers, quick ? QUICK : STEADY);
    return {
      figures: [
        ...comparison(many, few, { rate: { atLeast: 0.9 } }),
        ...comparison(manyNew, fewNew, {}),
        ...figuresOf(few),
        ...figuresOf(many),
      ],
      notes: [],
    };
  },
};
