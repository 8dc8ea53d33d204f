import { sql } from 'kysely';
import type { Spill } from './audit/spill.js';
import { createRedisLimiter } from './governance/redis-limiter.js';
import type { HealthCheck, Services } from './http/services.js';
import type { Clock } from './platform/clock.js';
import { withinTime } from './platform/later.js';
import { refusalOf } from './platform/store-failure.js';
import type { CurrentPolicy } from './policy/current-policy.js';
import type { Stores } from './server-stores.js';

/** How long a store may take to answer a monitor, in milliseconds. */
const PROBE_TIME = 1_000;

/** Counted in Redis for monitors: one that is full, or refuses, answers a `PING` all the same. */
const PROBE = { ruleId: '', tenant: '', counter: 'health', periodMs: 1_000, count: 1_000_000_000 };

/** What the health endpoints ask. */
export function createHealth({
  stores: { records, redis },
  current,
  clock,
  spill,
}: {
  stores: Pick<Stores, 'records' | 'redis'>;
  current: CurrentPolicy;
  clock: Clock;
  spill: Pick<Spill, 'state'>;
}): Services['health'] {
  const counters = redis && createRedisLimiter({ redis });
  const judgePolicy = (): HealthCheck => {
    if (!current.isFresh()) return failed('Postgres has not confirmed the policy for too long');
    if (current.snapshot.bundle === undefined) return failed('no bundle was applied yet');
    return { status: 'ok' };
  };
  return {
    ready: () => current.isFresh(),
    checks: async () => ({
      database: await probe(sql`SELECT 1`.execute(records), 'Postgres'),
      redis:
        counters === undefined
          ? { status: 'not_configured' }
          : await probe(Promise.resolve(counters.take([PROBE])), 'Redis'),
      ...auditCheck(spill.state),
      policy: { ...judgePolicy(), age_seconds: policyAge(current, clock) },
    }),
  };
}

/** Whole seconds since Postgres last confirmed the policy in force. */
export function policyAge(current: Pick<CurrentPolicy, 'confirmedAt'>, clock: Clock): number {
  return Math.max(0, Math.floor((clock.now() - current.confirmedAt) / 1_000));
}

/** Nothing while no event waits on disk. */
function auditCheck({ bytes, refuses }: Spill['state']): { readonly audit?: HealthCheck } {
  if (refuses) return { audit: failed('the audit can be written neither to Postgres nor to disk') };
  if (bytes === 0) return {};
  return { audit: { status: 'ok', message: `events wait on disk for Postgres (${bytes} bytes)` } };
}

function failed(message: string): HealthCheck {
  return { status: 'failed', message };
}

async function probe(answer: Promise<unknown>, name: string): Promise<HealthCheck> {
  const asked = answer.then(
    (): HealthCheck => ({ status: 'ok' }),
    (error: unknown) => {
      const refusal = refusalOf(error);
      return failed(`${name} ${refusal ? `refuses: ${refusal}` : 'cannot be reached'}`);
    },
  );
  return withinTime(asked, PROBE_TIME, failed(`${name} does not answer in time`));
}
