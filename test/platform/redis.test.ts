import assert from 'node:assert/strict';
import { once } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { createLogger } from '../../src/platform/log.js';
import { connectRedis, type RedisClient } from '../../src/platform/redis.js';
import { isAway } from '../../src/platform/store-failure.js';
import { keepBusy } from '../support/busy.js';
import { type FakeRedis, startFakeRedis } from '../support/fake-redis.js';
import { testRedis } from '../support/redis.js';

/** Not by `once` of node:events: that gives up at the errors that are expected here. */
function nextRetry(redis: RedisClient): Promise<void> {
  return new Promise((resolve) => {
    redis.once('reconnecting', () => resolve());
  });
}

describe('the connection to Redis', () => {
  let fake: FakeRedis;
  let redis: RedisClient;
  let lines: { level: string; msg: string }[];

  beforeEach(async () => {
    fake = await startFakeRedis();
    lines = [];
    const log = createLogger('info', { write: (line) => void lines.push(JSON.parse(line)) });
    redis = connectRedis(`redis://:hunter2@127.0.0.1:${fake.port}`, log, { silence: 100 });
    await once(redis, 'ready');
  });
  afterEach(async () => {
    redis.disconnect();
    await fake.close();
  });

  it('is given up where it says nothing, and made anew', async () => {
    fake.fallSilent();
    await assert.rejects(redis.set('x', '1'), isAway);
    fake.speak();
    await new Promise((resolve) => redis.once('ready', resolve));
    assert.equal(await redis.set('x', '1'), 'OK');
  });

  it('fails at once, and sends nothing later, while there is none', async () => {
    fake.breakConnections();
    await once(redis, 'close');
    await assert.rejects(redis.set('x', '1'));
    await once(redis, 'ready');
    assert.ok(!fake.received.includes('SET'));
  });

  it('does not send again what was under way when it broke', async () => {
    const answer = assert.rejects(redis.get('x'));
    fake.breakConnections();
    await answer;
    await once(redis, 'ready');
    assert.ok(fake.received.filter((name) => name === 'GET').length <= 1);
  });

  it('comes back by itself, and an outage is logged once, without the password', async () => {
    const { port } = fake;
    await fake.close();
    for (let failures = 0; failures < 3; failures += 1) await nextRetry(redis);
    fake = await startFakeRedis(port);
    await new Promise((resolve) => redis.once('ready', resolve));
    assert.equal(await redis.set('x', '1'), 'OK');
    assert.deepEqual(
      lines.map(({ level }) => level),
      ['warn', 'info'],
    );
    assert.ok(!JSON.stringify(lines).includes('hunter2'));
  });
});

describe('connectRedis', () => {
  it('keeps a connection that this process was too busy to read', async function () {
    const store = await testRedis();
    if (store === undefined) return this.skip();
    const redis = connectRedis(store.url, createLogger('silent'), { silence: 250 });
    let [asked, lost] = [0, 0];
    const ping = redis.ping.bind(redis);
    const asking = new Promise<void>((resolve) => {
      redis.ping = async () => {
        asked += 1;
        await nextTurn();
        // Once it is sent, and is waited for.
        if (asked > 1) resolve();
        else process.nextTick(keepBusy, 600);
        return ping();
      };
    });
    redis.on('close', () => {
      lost += 1;
    });
    await asking;
    const seen = [asked, lost];
    // This closes it, too.
    redis.disconnect();
    await store.close();
    assert.deepEqual(seen, [2, 0]);
  });

  it('tells no secret of an address that it cannot read', () => {
    assert.throws(
      () => connectRedis('redis://u:hunter2@a/b', createLogger('silent')),
      (error) => {
        assert.ok(!String(error).includes('hunter2'));
        return true;
      },
    );
  });
});
