import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { createLogger } from '../../src/platform/log.js';
import { enterRoll } from '../../src/platform/server-roll.js';
import { type TestRedis, testRedis } from '../support/redis.js';

describe('the roll of servers', () => {
  const log = createLogger('silent');
  const roll = `test:${randomUUID()}:servers`;
  let store: TestRedis | undefined;

  before(async function () {
    store = await testRedis();
    if (store === undefined) this.skip();
  });
  after(async () => {
    await store?.redis.del(roll);
    await store?.close();
  });

  const enter = () => {
    assert.ok(store !== undefined, 'there is a Redis');
    return enterRoll(store.redis, log, { roll });
  };

  it('counts the servers that have called, and one before any has', async () => {
    const [one, two] = [enter(), enter()];
    assert.equal(one.standing.count, 1);
    await one.call();
    await two.call();
    assert.equal(two.standing.count, 2);
    await one.call();
    assert.equal(one.standing.count, 2);
    await one.leave();
    await two.leave();
  });

  it('gives each a place of its own', async () => {
    const servers = [enter(), enter(), enter()];
    for (const server of [...servers, ...servers]) await server.call();
    const standings = servers.map(({ standing }) => standing);
    assert.deepEqual(
      standings.sort((a, b) => a.place - b.place),
      [0, 1, 2].map((place) => ({ count: 3, place })),
    );
    for (const server of servers) await server.leave();
  });

  it('forgets a server that left or fell silent, after a few more calls', async () => {
    const [stays, leaves] = [enter(), enter()];
    await store?.redis.zadd(roll, Date.now() - 60_000, 'silent');
    await leaves.call();
    await stays.call();
    await leaves.leave();
    const counts: number[] = [];
    for (let i = 0; i < 3; i += 1) {
      await stays.call();
      counts.push(stays.standing.count);
    }
    assert.deepEqual(counts, [2, 2, 1]);
    assert.equal(stays.standing.place, 0);
    await stays.leave();
  });

  it('ends by itself', async () => {
    const server = enter();
    await server.call();
    const ttl = (await store?.redis.pttl(roll)) ?? 0;
    assert.ok(ttl > 0 && ttl <= 15_000, `ends in ${ttl} ms`);
    await server.leave();
  });
});
