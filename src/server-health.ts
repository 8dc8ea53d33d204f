import { sql } from 'kysely';
import type { HealthCheck, Services } from './http/services.js';
import type { Clock } from './platform/clock.js';
import type { CurrentPolicy } from './policy/current-policy.js';
import type { Stores } from './server-stores.js';

/** How long a store may take to answer a monitor, in milliseconds. */
const PROBE_TIME = 1_000;

/** How old the confirmation of a policy may be before this server counts as not ready, in ms. */
const MAX_STALENESS = 5 * 60_000;

/** What the health endpoints ask. */
export function createHealth({
  stores: { management, redis },
  current,
  clock,
}: {
  stores: Pick<Stores, 'management' | 'redis'>;
  current: CurrentPolicy;
  clock: Clock;
}): Services['health'] {
  const isFresh = (): boolean => clock.now() - current.confirmedAt <= MAX_STALENESS;
  const policy = (): HealthCheck => {
    if (!isFresh()) return failed('the policy was not confirmed for more than 5 minutes');
    if (current.snapshot.bundle === undefined) return failed('no bundle was applied yet');
    return { status: 'ok' };
  };
  return {
    ready: isFresh,
    checks: async () => ({
      database: await probe(sql`SELECT 1`.execute(management), 'Postgres'),
      redis:
        redis === undefined ? { status: 'not_configured' } : await probe(redis.ping(), 'Redis'),
      policy: policy(),
    }),
  };
}

function failed(message: string): HealthCheck {
  return { status: 'failed', message };
}

async function probe(answer: Promise<unknown>, name: string): Promise<HealthCheck> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<HealthCheck>((resolve) => {
    timer = setTimeout(resolve, PROBE_TIME, failed(`${name} does not answer in time`));
  });
  const asked = answer.then(
    (): HealthCheck => ({ status: 'ok' }),
    () => failed(`${name} cannot be reached`),
  );
  try {
    return await Promise.race([asked, late]);
  } finally {
    clearTimeout(timer);
  }
}
