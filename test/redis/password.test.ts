import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { Redis } from 'ioredis';
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

  it('need no more rights than operations.md says', async () => {
    const text = await readFile(new URL('../../docs/operations.md', import.meta.url), 'utf8');
    const told = /needs the keys\s+`(\S+)`, the channel `(\S+)`[^`]*`([^`]+)`/.exec(text);
    assert.ok(told !== null, 'it says which');
    const [, keys, channel, rights = ''] = told;
    const admin = new Redis(redis.port, { password: 'correct-horse' });
    await admin.call(
      'ACL',
      'SETUSER',
      'least',
      'on',
      '>least-horse',
      `~${keys}`,
      `&${channel}`,
      ...rights.split(/\s+/),
    );
    admin.disconnect();
    const least = await startTwoServers(`redis://least:least-horse@127.0.0.1:${redis.port}`);
    try {
      const { servers, key } = least;
      const [server] = servers;
      assert.equal(await takeAll(servers, { key, subject: 'maud' }), LIMIT);
      await tellOfManager(servers, { key, subject: 'nora' });
      assert.equal(await metricOf(servers[1], MESSAGES, { way: 'redis', outcome: 'new' }), 1);
      assert.match((await server.call('GET', '/health')).text, /"redis":\{"status":"ok"\}/);
    } finally {
      await least.close();
    }
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
