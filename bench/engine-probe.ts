/**
 * Holds one engine, as a server does, and measures its decisions when it is told to: each engine in a
 * process of its own, so that none runs on what the runtime has learnt of the others.
 *
 * Forked by `suites/engine.ts` with the workload's kind, its rules, its tenants (0: as many as usual)
 * and, if it is not this one, the checkout.
 */
import { ourEngine } from './engines.js';
import { timedCalls } from './timing.js';
import { domainsWorkload, rbacWorkload } from './workloads.js';

/** Milliseconds of one measurement. */
const BUDGET = 150;

/** Distinct checks: so many that they do not all stay in the processor's nearest memory. */
export const CHECKS = 20_000;

/** What a probe says once it is ready. */
export interface ProbeReady {
  readonly name: string;
}

/** What it says to each message: the microseconds of a decision. */
export interface ProbeTime {
  readonly microseconds: number;
}

if (process.send !== undefined) await probe(process.argv.slice(2));

async function probe([kind, rules, tenants, checkout]: readonly string[]): Promise<void> {
  const size = Number(rules);
  const workload =
    kind === 'domains'
      ? domainsWorkload(size, { checks: CHECKS })
      : rbacWorkload(size, {
          checks: CHECKS,
          ...(tenants === '0' ? {} : { tenants: Number(tenants) }),
        });
  const { name, decide } = await ourEngine(workload, checkout);
  const time = timedCalls(decide, BUDGET);
  process.on('message', () => process.send?.({ microseconds: time() } satisfies ProbeTime));
  process.send?.({ name } satisfies ProbeReady);
}
