import assert from 'node:assert/strict';
import { Redis } from 'ioredis';
import type { Config } from '../../src/platform/config.js';
import { metricOf } from '../support/metric.js';
import { type RedisServer, startRedisServer } from '../support/redis.js';
import { type Answered, type TestServer, testServer } from '../support/server.js';
import { redisProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';

const EXPORT = { tenant: 'acme', subject: 'mona', action: 'export', resource: 'report:q1' };
const UNCOUNTED = 'countersign_limits_without_redis_total';
const BREAKER_OPEN = 'countersign_store_breaker_open';

interface Decided {
  readonly decision: string;
  readonly code?: string;
  readonly rate_limit?: { readonly limit: number; readonly remaining: number };
}

describe('while Redis is away', function () {
  this.timeout(30_000);
  let redis: RedisServer;
  let proxy: TcpProxy;
  let redisUrl: string;
  const servers: TestServer[] = [];

  before(async function () {
    const started = await startRedisServer();
    if (started === undefined) return this.skip();
    redis = started;
    ({ proxy, url: redisUrl } = await redisProxy(redis.url));
  });
  afterEach(async () => {
    await proxy.mend();
    for (const server of servers.splice(0).reverse()) await server.close();
    const client = new Redis(redis.url);
    await client.flushall();
    client.disconnect();
  });
  after(async () => {
    if (redis === undefined) return;
    await proxy.cut();
    await redis.close();
  });

  const start = async (settings: Partial<Config> = {}): Promise<TestServer> => {
    const server = await testServer({ redisUrl, ...settings });
    servers.push(server);
    return server;
  };
  const check = (server: TestServer, key = server.rootKey): Promise<Answered<Decided>> =>
    server.call<Decided>('POST', '/check', { body: EXPORT, key });
  /** What is left of the limit in Redis. */
  const left = async (server: TestServer): Promise<number | undefined> => {
    const body = { ...EXPORT, dry_run: true };
    const { rate_limit } = (await server.call<Decided>('POST', '/check', { body })).body;
    return rate_limit && rate_limit.remaining + 1;
  };

  it('each server counts its share of what was left with `local`, and Redis hears of it', async () => {
    const first = await start();
    const { database, rootKey } = first;
    const second = await start({ databaseUrl: database.url, rootKey });
    const ask = () => check(second, rootKey);
    const whole = (await ask()).body.rate_limit?.limit;
    assert.ok(whole !== undefined && whole > 2, `the limit is ${whole}`);
    await proxy.cut();
    const { status, body } = await ask();
    assert.deepEqual([status, body.decision], [200, 'allow']);
    const shares = [Math.floor((whole - 1) / 2), Math.ceil((whole - 1) / 2)];
    assert.ok(shares.includes(body.rate_limit?.limit ?? 0), JSON.stringify(body));
    assert.ok((await metricOf(second, UNCOUNTED, { how: 'local' })) >= 1, 'it is counted');
    assert.equal((await second.call('GET', '/health/ready', { key: '' })).status, 200);
    assert.equal((await second.call('GET', '/health', { key: '' })).status, 503);

    await proxy.mend();
    const seen = async () => await left(first);
    await until(seen, (units) => units === whole - 2);
  });

  it('a server that starts then shares the limits with the others from its first check on', async () => {
    const first = await start();
    const { database, rootKey } = first;
    const whole = (await left(first)) ?? 0;
    await proxy.cut();
    const second = await start({ databaseUrl: database.url, rootKey });
    // It has not heard yet what time it is in Redis.
    second.now = Date.now();
    await until(
      () => metricOf(first, 'countersign_servers'),
      (count) => count === 2,
    );
    const allowed: number[] = [];
    for (const server of [first, second]) {
      const answers = [];
      for (let i = 0; i < whole; i += 1) answers.push(await check(server, rootKey));
      allowed.push(answers.filter(({ body }) => body.decision === 'allow').length);
    }
    assert.deepEqual(
      allowed.sort((a, b) => a - b),
      [Math.floor(whole / 2), Math.ceil(whole / 2)],
    );
    await proxy.mend();
    const { body } = await until(
      () => check(second, rootKey),
      (answer) => answer.body.rate_limit?.limit === whole,
    );
    assert.deepEqual(
      [body.decision, body.rate_limit?.remaining],
      ['deny', 0],
      'Redis knows of all',
    );
  });

  it('one that refuses is away, too, and monitors are told why', async () => {
    const server = await start({ limitsOnRedisLoss: 'deny' });
    assert.equal((await check(server)).status, 200);
    const client = new Redis(redis.url);
    const monitored = async (): Promise<string> =>
      (await server.call('GET', '/health', { key: '' })).text;
    try {
      await client.config('SET', 'maxmemory', '1');
      assert.equal((await check(server)).status, 503);
      assert.match(await monitored(), /Redis refuses: OOM/);
      await client.config('SET', 'maxmemory', '0');
      await client.call('ACL', 'SETUSER', 'default', '-@write');
      assert.equal((await check(server)).status, 503);
      assert.match(await monitored(), /Redis refuses: NOPERM/);
    } finally {
      await client.call('ACL', 'SETUSER', 'default', '+@all');
      await client.config('SET', 'maxmemory', '0');
      client.disconnect();
    }
    assert.equal((await check(server)).status, 200);
    assert.match(await monitored(), /"redis":\{"status":"ok"\}/);
  });

  it('such checks get 503 with `deny`, and no others', async () => {
    const server = await start({ limitsOnRedisLoss: 'deny' });
    await proxy.cut();
    const { status, body, headers } = await check(server);
    assert.deepEqual([status, body.code, headers.get('retry-after')], [503, 'unavailable', '1']);
    const other = { tenant: 'acme', subject: 'bob', action: 'fly', resource: 'document:1' };
    assert.equal((await server.call('POST', '/check', { body: other })).status, 200);
    assert.ok((await metricOf(server, UNCOUNTED, { how: 'deny' })) >= 1, 'it is counted');
  });

  it('limits do not hold with `allow`', async () => {
    const server = await start({ limitsOnRedisLoss: 'allow' });
    const { limit = 0 } = (await check(server)).body.rate_limit ?? {};
    assert.ok(limit > 0, 'there is a limit');
    await proxy.cut();
    for (let i = 0; i <= limit; i += 1) {
      assert.equal((await check(server)).body.decision, 'allow', `check ${i}`);
    }
    assert.ok((await metricOf(server, UNCOUNTED, { how: 'allow' })) > limit, 'it is counted');
  });

  it('such checks get 503 while Redis is slow, and lose nothing by it', async () => {
    const server = await start();
    const whole = await left(server);
    assert.ok(whole !== undefined, 'there is a limit');
    proxy.slow(60);
    const asked = Math.max(whole + 2, 12);
    for (let i = 0; i < asked; i += 1) {
      const { status, body, headers } = await check(server);
      assert.deepEqual([status, body.code, headers.get('retry-after')], [503, 'unavailable', '1']);
    }
    assert.equal(await metricOf(server, UNCOUNTED, { how: 'late' }), asked);
    assert.equal(await metricOf(server, BREAKER_OPEN, { store: 'redis' }), 1);
    proxy.slow(0);
    await until(
      () => left(server),
      (units) => units === whole,
    );
    assert.equal(await metricOf(server, BREAKER_OPEN, { store: 'redis' }), 0);
    for (let i = 0; i < whole; i += 1) assert.equal((await check(server)).body.decision, 'allow');
    assert.equal((await check(server)).body.decision, 'deny');
    assert.equal(await metricOf(server, UNCOUNTED, { how: 'local' }), 0);
  });

  it('such checks get 503 while Redis is silent, until its connection is given up', async () => {
    const server = await start();
    const whole = await left(server);
    proxy.stall();
    assert.equal((await check(server)).status, 503);
    const answered = await until(
      () => check(server),
      ({ status }) => status === 200,
    );
    assert.equal(answered.body.decision, 'allow');
    const uncounted = await metricOf(server, UNCOUNTED, { how: 'local' });
    assert.equal(uncounted, 1);
    await proxy.mend();
    await until(
      () => left(server),
      (units) => units === (whole ?? 0) - 1,
    );
  });
});
