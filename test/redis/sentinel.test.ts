import assert from 'node:assert/strict';
import { createLogger } from '../../src/platform/log.js';
import { connectRedis } from '../../src/platform/redis.js';
import { startFakeRedis } from '../support/fake-redis.js';
import { metricOf } from '../support/metric.js';
import { installed, type SentinelRedis, startSentinelRedis } from '../support/redis-kinds.js';
import { until } from '../support/until.js';
import {
  allowedOf,
  answerOf,
  type Decided,
  exportOf,
  LIMIT,
  logOfRefusal,
  RETURNING,
  startTwoServers,
  takeAll,
  tellOfManager,
  type TwoServers,
} from './two-servers.js';

const MESSAGES = 'countersign_change_messages_total';
const PASSWORD = 'correct-horse';
const SENTINEL_PASSWORD = 'watchful-horse';

describe('two servers on a Redis that Sentinel watches', function () {
  this.timeout(60_000);
  let redis: SentinelRedis;
  let two: TwoServers;
  before(async function () {
    const started = await installed(() => startSentinelRedis(PASSWORD, SENTINEL_PASSWORD));
    if (started === undefined) return this.skip();
    redis = started;
    two = await startTwoServers(redis.url);
  });
  after(async () => {
    await two?.close();
    await redis?.close();
  });

  /** Messages of changes through Redis that told the second server something new. */
  const told = () => metricOf(two.servers[1], MESSAGES, { way: 'redis', outcome: 'new' });
  const nobodyReturns = (): void => {
    for (const server of two.servers) server.now += RETURNING;
  };

  it('count a rate limit together, exactly', async () => {
    const { servers, key } = two;
    assert.equal(await takeAll(servers, { key, subject: 'mona' }), LIMIT);
  });

  it('are told of changes through it, without a word from Postgres', async () => {
    const { servers, key } = two;
    await tellOfManager(servers, { key, subject: 'nina' });
    assert.equal(await told(), 1);
  });

  it('say that the password is wrong, and not which it is', async () => {
    for (const right of [PASSWORD, SENTINEL_PASSWORD]) {
      const log = await logOfRefusal(redis.url.replace(right, 'wrong-horse'));
      assert.doesNotMatch(log, /horse/);
    }
  });

  it('ask the next watcher where one takes connections and says nothing', async () => {
    const silent = await startFakeRedis();
    silent.fallSilent();
    const url = redis.url.replace(/@[^,]+/, `@127.0.0.1:${silent.port}`);
    const client = connectRedis(url, createLogger('silent'));
    await until(
      async () => client.status,
      (status) => status === 'ready',
    );
    client.disconnect();
    await silent.close();
  });

  it('let through exactly the limit while the replica takes over, and go on with that', async () => {
    const { servers, key } = two;
    const asked = { key, subject: 'maud' };
    const decided: Decided[] = [];
    for (const server of servers) decided.push(await answerOf(server, asked));
    // So that both have heard the same of what is left, and what was taken for a late answer is back.
    for (const server of servers) {
      await until(
        () => exportOf(server, { ...asked, dry_run: true }),
        ({ rate_limit }) => rate_limit?.remaining === LIMIT - servers.length - 1,
      );
    }
    await redis.replicated();
    await redis.master.kill();
    const askBoth = async (): Promise<Decided[]> => {
      const both = [];
      for (const server of servers) both.push(await exportOf(server, asked));
      decided.push(...both);
      return both;
    };
    const isShared = ({ rate_limit }: Decided) => rate_limit?.limit === LIMIT;
    assert.equal((await askBoth()).some(isShared), false, 'it counts in a master that is gone');
    await until(askBoth, (both) => both.every(isShared));
    nobodyReturns();
    // Bounded, so that a unit that is lost shows as one, and not as a test that never ends.
    for (let round = 0; round < 20 * LIMIT && allowedOf(decided) < LIMIT; round += 1) {
      await askBoth();
    }
    await askBoth();
    assert.equal(allowedOf(decided), LIMIT);
    const statuses = new Set(decided.map(({ status }) => status));
    statuses.delete(503);
    assert.deepEqual([...statuses], [200]);

    assert.equal(await takeAll(servers, { key, subject: 'mick' }), LIMIT);
    const isHeard = ({ log }: { readonly log: readonly string[] }) =>
      log.some((line) => line.includes('changes are listened for again'));
    await until(async () => servers.every(isHeard), Boolean);
    const before = await told();
    await tellOfManager(servers, { key, subject: 'nora' });
    assert.equal(await told(), before + 1);
    assert.equal(await metricOf(servers[1], MESSAGES, { way: 'postgres' }), 0);
  });
});
