import assert from 'node:assert/strict';
import { Unavailable } from '../../src/errors.js';
import type { Demand, Limiter } from '../../src/governance/limiter.js';
import { createMemoryLimiter } from '../../src/governance/memory-limiter.js';
import {
  createRedisLossLimiter,
  type OnRedisLoss,
} from '../../src/governance/redis-loss-limiter.js';
import { Breaker } from '../../src/platform/breaker.js';

const clock = { now: () => Date.parse('2026-03-30T10:00:00Z') };
const DEMAND: Demand = {
  ruleId: 'quota',
  tenant: 'acme',
  counter: 'quota of alice',
  periodMs: 3_600_000,
  count: 10,
};

describe('rate limits while Redis does not answer', () => {
  let away: Error | 'silent' | undefined;
  let asked: number;
  let servers: number;
  let now: number;
  let uncounted: OnRedisLoss[];
  let shared: ReturnType<typeof createMemoryLimiter>;

  beforeEach(() => {
    [away, asked, servers, now, uncounted] = [undefined, 0, 1, 0, []];
    shared = createMemoryLimiter({ clock });
  });

  /** Stands for Redis: counts as it does, until it is away. */
  const redis: Limiter = {
    take: (demands) => answer(() => shared.take(demands)),
    peek: (demands) => answer(() => shared.peek(demands)),
    giveBack: (receipt) => answer(() => shared.giveBack(receipt)),
  };
  async function answer<Result>(count: () => Result | Promise<Result>): Promise<Result> {
    asked += 1;
    if (away === 'silent') return new Promise(() => undefined);
    if (away !== undefined) throw away;
    return count();
  }
  const limiterWith = (onLoss: OnRedisLoss): Limiter =>
    createRedisLossLimiter({
      shared: redis,
      local: createMemoryLimiter({ clock }),
      onLoss,
      breaker: new Breaker({ failures: 2, pause: 1_000, clock: { now: () => now } }),
      servers: () => servers,
      onUncounted: (how) => uncounted.push(how),
      patience: 5,
    });
  const allowedOf = async (limiter: Limiter, tries: number): Promise<number> => {
    let allowed = 0;
    for (let i = 0; i < tries; i += 1) if ((await limiter.take([DEMAND])).allowed) allowed += 1;
    return allowed;
  };

  it('are counted in Redis as long as it answers', async () => {
    const limiter = limiterWith('local');
    assert.equal(await allowedOf(limiter, 12), 10);
    assert.deepEqual([asked, uncounted], [12, []]);
  });

  it('are counted here with `local`, each server its share', async () => {
    away = new Error('Connection is closed.');
    servers = 3;
    const limiter = limiterWith('local');
    assert.equal(await allowedOf(limiter, 6), 4);
    assert.equal(uncounted.length, 6);
    assert.equal(asked, 2, 'once its breaker is open, Redis is not asked');
  });

  it('let one through with `local`, however many servers there are', async () => {
    away = new Error('Connection is closed.');
    servers = 100;
    assert.equal(await allowedOf(limiterWith('local'), 3), 1);
  });

  it('are not answered with `deny`', async () => {
    away = new Error('Connection is closed.');
    const limiter = limiterWith('deny');
    for (let i = 0; i < 3; i += 1) {
      await assert.rejects(async () => limiter.take([DEMAND]), Unavailable);
    }
    assert.deepEqual(uncounted, ['deny', 'deny', 'deny']);
  });

  it('do not count with `allow`', async () => {
    away = new Error('Connection is closed.');
    const limiter = limiterWith('allow');
    assert.equal(await allowedOf(limiter, 20), 20);
    assert.deepEqual(await limiter.take([DEMAND]), { allowed: true, refused: [], receipt: [] });
  });

  it('are no longer waited for than Redis may take', async () => {
    away = 'silent';
    assert.equal(await allowedOf(limiterWith('local'), 12), 10);
  });

  it('are counted in Redis again once it answers', async () => {
    const limiter = limiterWith('local');
    away = new Error('Connection is closed.');
    await allowedOf(limiter, 12);
    away = undefined;
    now += 1_000;
    assert.equal(await allowedOf(limiter, 12), 10);
    assert.equal((await limiter.peek([DEMAND])).allowed, false);
  });

  it('get back what was taken where it was taken', async () => {
    const limiter = limiterWith('local');
    const inRedis = await limiter.take([DEMAND]);
    away = new Error('Connection is closed.');
    const here = await limiter.take([DEMAND]);
    await limiter.take([DEMAND]);
    away = undefined;
    now += 1_000;
    await limiter.giveBack(here.receipt);
    assert.equal((await limiter.peek([DEMAND])).tightest?.remaining, 8);
    await limiter.giveBack(inRedis.receipt);
    assert.equal((await limiter.peek([DEMAND])).tightest?.remaining, 9);
  });

  it('hide no fault of ours behind an outage', async () => {
    away = new Error('ERR wrong number of arguments');
    await assert.rejects(async () => limiterWith('allow').take([DEMAND]), /wrong number/);
    assert.deepEqual(uncounted, []);
  });
});
