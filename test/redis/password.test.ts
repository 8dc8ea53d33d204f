import assert from 'node:assert/strict';
import { metricOf } from '../support/metric.js';
import type { RedisServer } from '../support/redis.js';
import { installed, startRedisWithPassword } from '../support/redis-kinds.js';
import { testServer } from '../support/server.js';
import { LIMIT, startTwoServers, takeAll, tellOfManager, type TwoServers } from './two-servers.js';

const MESSAGES = 'countersign_change_messages_total';

describe('two servers on a Redis with a password', () => {
  let redis: RedisServer;
  let two: TwoServers;
  before(async function () {
    const started = await installed(() => startRedisWithPassword('correct-horse'));
    if (started === undefined) return this.skip();
    redis = started;
    two = await startTwoServers(`redis://:correct-horse@127.0.0.1:${redis.port}`);
  });
  after(async () => {
    await two?.close();
    await redis?.close();
  });

  it('count a rate limit together, exactly', async () => {
    const { servers, key } = two;
    assert.equal(await takeAll(servers, { key, subject: 'mona' }), LIMIT);
  });

  it('are told of changes through it, without a word from Postgres', async () => {
    const { servers, key } = two;
    await tellOfManager(servers, { key, subject: 'nina' });
    assert.equal(await metricOf(servers[1], MESSAGES, { way: 'postgres' }), 0);
    assert.equal(await metricOf(servers[1], MESSAGES, { way: 'redis', outcome: 'new' }), 1);
  });

  it('answer without it where the password is wrong, and say so, and not which it is', async () => {
    const server = await testServer({ redisUrl: `redis://:wrong-horse@127.0.0.1:${redis.port}` });
    const body = { tenant: 'acme', subject: 'mona', action: 'export', resource: 'report:q1' };
    const { status } = await server.call('POST', '/check', { body });
    await server.close();
    const refused = server.log.filter((line) => line.includes('WRONGPASS'));
    assert.equal(status, 200);
    assert.match(refused.join(''), /Redis cannot be reached.*changes cannot be listened for/s);
    assert.doesNotMatch(server.log.join(''), /wrong-horse/);
  });
});
