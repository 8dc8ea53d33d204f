import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import * as fc from 'fast-check';
import type { Redis } from 'ioredis';
import { type Demand, type Limiter, storedName, type Taken } from '../../src/governance/limiter.js';
import { createMemoryLimiter } from '../../src/governance/memory-limiter.js';
import { createPostgresLimiter } from '../../src/governance/postgres-limiter.js';
import { createRedisLimiter } from '../../src/governance/redis-limiter.js';
import { type TestDatabase, testDatabase } from '../support/database.js';
import { type TestRedis, testRedis } from '../support/redis.js';

const START = Date.parse('2026-03-30T10:00:00Z');
const PERIODS = { second: 1_000, minute: 60_000, hour: 3_600_000, day: 86_400_000 };

let present = START;
const clock = { now: () => present };

function demand(count: number, over: Partial<Demand> = {}): Demand {
  return {
    ruleId: 'quota',
    tenant: 'acme',
    counter: randomUUID(),
    periodMs: PERIODS.hour,
    count,
    ...over,
  };
}

/** The formula as the documents have it: 60 sub-buckets and the one before them, counted whole. */
class Model {
  readonly #used = new Map<string, Map<number, number>>();

  ask(demands: readonly Demand[], spend: boolean): Taken {
    const states = demands.map((wanted) => {
      const { periodMs, counter } = wanted;
      const now = Math.floor((present * 60) / periodMs);
      const uses = [...(this.#used.get(counter) ?? [])].filter(([bucket]) => bucket >= now - 60);
      return { wanted, now, units: uses.flatMap(([bucket, n]) => Array<number>(n).fill(bucket)) };
    });
    const refusing = states.filter(({ wanted, units }) => units.length >= wanted.count);
    const allowed = refusing.length === 0;
    const limits = (allowed ? states : refusing).map(({ wanted, now, units }) => {
      const after = (allowed ? [...units, now] : units).sort((a, b) => a - b);
      const frees = after[allowed ? 0 : units.length - wanted.count] ?? Number.NaN;
      const wait = Math.ceil(((frees + 61) * wanted.periodMs) / 60) - present;
      return {
        limit: wanted.count,
        remaining: allowed ? wanted.count - after.length : 0,
        reset: Math.max(1, Math.ceil(wait / 1_000)),
        ruleId: wanted.ruleId,
      };
    });
    const [tightest] = limits.sort((a, b) => a.remaining - b.remaining || b.reset - a.reset);
    assert.ok(tightest !== undefined, 'something is demanded');
    if (!allowed) {
      const refused = refusing.map(({ wanted }) => wanted.ruleId);
      return { allowed, tightest, retryAfter: tightest.reset, refused, receipt: [] };
    }
    if (!spend) return { allowed, tightest, refused: [], receipt: [] };
    const receipt = states.map(({ wanted: { tenant, counter }, now }) => {
      const uses = this.#used.get(counter) ?? new Map<number, number>();
      // Once something is taken, what was out of the window by then is gone for good.
      for (const bucket of uses.keys()) if (bucket < now - 60) uses.delete(bucket);
      this.#used.set(counter, uses.set(now, (uses.get(now) ?? 0) + 1));
      return { tenant, counter, bucket: now };
    });
    return { allowed, tightest, refused: [], receipt };
  }

  giveBack(receipt: Taken['receipt']): void {
    for (const { counter, bucket } of receipt) {
      const uses = this.#used.get(counter);
      const used = uses?.get(bucket) ?? 0;
      if (used > 0) uses?.set(bucket, used - 1);
    }
  }
}

/** Every store of counters has to pass this. */
function limiterContract(name: string, open: () => Promise<Limiter>, runs: number): void {
  describe(`counting in ${name}`, () => {
    let limiter: Limiter;

    before(async () => {
      limiter = await open();
    });
    beforeEach(() => {
      present = START;
    });

    it('allows as many as the count, then refuses and says until when', async () => {
      const wanted = [demand(2)];
      const first = await limiter.take(wanted);
      assert.equal(first.allowed, true);
      assert.deepEqual(first.tightest, { limit: 2, remaining: 1, reset: 3660, ruleId: 'quota' });
      assert.equal((await limiter.take(wanted)).tightest?.remaining, 0);
      const refused = await limiter.take(wanted);
      assert.equal(refused.allowed, false);
      assert.deepEqual(refused.refused, ['quota']);
      assert.equal(refused.retryAfter, 3660);
      assert.deepEqual(refused.receipt, []);
      present += 3_659_999;
      assert.equal((await limiter.take(wanted)).retryAfter, 1);
      present += 1;
      assert.equal((await limiter.take(wanted)).allowed, true);
      assert.equal((await limiter.take(wanted)).allowed, true, 'what was refused took nothing');
    });

    it('counts the oldest sub-bucket whole, until it is out of the window', async () => {
      const wanted = [demand(2)];
      await limiter.take(wanted);
      present += PERIODS.hour;
      assert.equal((await limiter.take(wanted)).allowed, true);
      assert.equal((await limiter.take(wanted)).allowed, false);
      present += PERIODS.minute;
      assert.equal((await limiter.take(wanted)).allowed, true);
    });

    it('takes all demands of a check together or none', async () => {
      const wide = demand(10, { ruleId: 'wide' });
      const narrow = demand(1, { ruleId: 'narrow', periodMs: PERIODS.day });
      const first = await limiter.take([wide, narrow]);
      assert.deepEqual(first.tightest, { limit: 1, remaining: 0, reset: 87840, ruleId: 'narrow' });
      const second = await limiter.take([wide, narrow]);
      assert.deepEqual(second.refused, ['narrow']);
      assert.equal(second.tightest?.ruleId, 'narrow');
      assert.equal((await limiter.peek([wide])).tightest?.remaining, 8);
    });

    it('says when the last of several refusing limits frees', async () => {
      const hour = demand(1, { ruleId: 'hour' });
      const day = demand(1, { ruleId: 'day', periodMs: PERIODS.day });
      await limiter.take([hour, day]);
      const refused = await limiter.take([hour, day]);
      assert.deepEqual([...refused.refused].sort(), ['day', 'hour']);
      assert.equal(refused.retryAfter, 87840);
    });

    it('looks without taking', async () => {
      const wanted = [demand(1)];
      for (let i = 0; i < 3; i += 1) {
        const seen = await limiter.peek(wanted);
        assert.equal(seen.allowed, true);
        assert.equal(seen.tightest?.remaining, 0);
        assert.deepEqual(seen.receipt, []);
      }
      assert.equal((await limiter.take(wanted)).allowed, true);
      assert.equal((await limiter.peek(wanted)).allowed, false);
    });

    it('gives back where it was taken, and no more than was taken', async () => {
      const wanted = [demand(2), demand(5, { periodMs: PERIODS.minute })];
      const { receipt } = await limiter.take(wanted);
      await limiter.take(wanted);
      present += 1_800_000;
      await limiter.giveBack(receipt);
      assert.equal((await limiter.take(wanted)).allowed, true);
      assert.equal((await limiter.take(wanted)).allowed, false);
      // What was given back lay half an hour ago, so half an hour from now only one unit frees.
      present += 1_860_000;
      assert.equal((await limiter.take(wanted)).allowed, true);
      assert.equal((await limiter.take(wanted)).allowed, false);
      await limiter.giveBack([]);
    });

    it('keeps what is taken when the count is edited', async () => {
      const wanted = demand(3);
      for (let i = 0; i < 3; i += 1) await limiter.take([wanted]);
      const lowered = await limiter.take([{ ...wanted, count: 1 }]);
      assert.equal(lowered.allowed, false);
      assert.equal(lowered.tightest?.remaining, 0);
      assert.equal((await limiter.take([{ ...wanted, count: 4 }])).tightest?.remaining, 0);
    });

    it('counts each counter for itself', async () => {
      const [mine, theirs] = [demand(1), demand(1)];
      await limiter.take([mine]);
      assert.equal((await limiter.take([theirs])).allowed, true);
    });

    it('allows a check without demands', async () => {
      assert.deepEqual(await limiter.take([]), { allowed: true, refused: [], receipt: [] });
    });

    it('lets exactly the count through when many ask at once', async () => {
      const [one, two] = [demand(20), demand(50, { periodMs: PERIODS.minute })];
      const answers = await Promise.all(
        Array.from({ length: 60 }, async (_, i) =>
          limiter.take(i % 2 === 0 ? [one, two] : [two, one]),
        ),
      );
      assert.equal(answers.filter(({ allowed }) => allowed).length, 20);
    });

    it('never lets a stretch as long as the period hold more than the count', async () => {
      const period = fc.constantFrom(...Object.values(PERIODS));
      // In periods: mostly small, often right on the edges of sub-buckets and of the window.
      const gap = fc.oneof(
        fc.double({ min: 0, max: 0.7, noNaN: true }).map((step) => step * step),
        fc.constantFrom(0, 1 / 60, 59 / 60, 1, 61 / 60),
      );
      const gaps = fc.array(gap, { maxLength: 40 });
      const property = fc.asyncProperty(
        period,
        fc.integer({ min: 1, max: 5 }),
        fc.oneof(fc.nat(PERIODS.day), fc.constant(0)),
        gaps,
        async (periodMs, count, offset, steps) => {
          present = START + offset;
          const wanted = [demand(count, { periodMs })];
          const allowed: number[] = [];
          for (const step of steps) {
            present += Math.floor(step * periodMs);
            const { allowed: isAllowed, retryAfter } = await limiter.take(wanted);
            if (isAllowed) allowed.push(present);
            else assert.ok((retryAfter ?? 0) >= 1 && (retryAfter ?? 0) <= periodMs / 983 + 1);
          }
          allowed.forEach((at, index) => {
            const before = allowed[index - count];
            assert.ok(before === undefined || at - before > periodMs, `${before} and ${at}`);
          });
        },
      );
      await fc.assert(property, { numRuns: runs });
    });

    it('answers as the formula says, whatever was taken, given back and asked in between', async () => {
      const step = fc.record({
        // In sub-buckets of the longer period; clocks are set back as well.
        time: fc.oneof(
          fc.double({ min: 0, max: 3, noNaN: true }),
          fc.constantFrom(-70, -2, 0, 1, 60),
        ),
        call: fc.constantFrom('take', 'take', 'take', 'peek', 'give back'),
        both: fc.boolean(),
        isLowered: fc.boolean(),
      });
      const property = fc.asyncProperty(
        fc.array(step, { minLength: 5, maxLength: 25 }),
        fc.integer({ min: 1, max: 4 }),
        async (steps, count) => {
          present = START;
          const hour = demand(count, { ruleId: 'hour' });
          const minute = demand(count + 1, { ruleId: 'minute', periodMs: PERIODS.minute * 20 });
          const model = new Model();
          let latest = present;
          const receipts: Taken['receipt'][] = [];
          for (const { time, call, both, isLowered } of steps) {
            present = Math.max(
              present + Math.floor(time * PERIODS.minute),
              latest - PERIODS.minute,
            );
            latest = Math.max(latest, present);
            const edited = isLowered ? { ...minute, count: 1 } : minute;
            const wanted = both ? [hour, edited] : [edited];
            if (call === 'give back') {
              const receipt = receipts.pop();
              if (receipt === undefined) continue;
              await limiter.giveBack(receipt);
              model.giveBack(receipt);
              continue;
            }
            const expected = model.ask(wanted, call === 'take');
            const actual = await limiter[call](wanted);
            assert.deepEqual(actual, expected);
            if (expected.receipt.length > 0) receipts.push(actual.receipt);
          }
        },
      );
      await fc.assert(property, { numRuns: runs });
    });

    it('frees a unit when it said it would', async () => {
      const seconds = fc.integer({ min: 0, max: 2_000 });
      const property = fc.asyncProperty(seconds, seconds, async (first, second) => {
        present = START + first;
        const wanted = [demand(2, { periodMs: PERIODS.second })];
        await limiter.take(wanted);
        present += Math.floor(second / 3);
        await limiter.take(wanted);
        const refused = await limiter.peek(wanted);
        if (refused.allowed) return;
        present += (refused.retryAfter ?? 0) * 1_000;
        assert.equal((await limiter.take(wanted)).allowed, true);
      });
      await fc.assert(property, { numRuns: runs });
    });
  });
}

describe('rate limiters', () => {
  let database: TestDatabase;

  before(async () => {
    database = await testDatabase();
  });
  after(() => database.close());

  limiterContract('memory', async () => createMemoryLimiter({ clock }), 300);
  limiterContract('Postgres', async () => createPostgresLimiter({ ...database, clock }), 15);

  it('forgets counters in memory that no longer count', () => {
    present = START;
    const limiter = createMemoryLimiter({ clock });
    for (let i = 0; i < 5_000; i += 1) {
      present += 100;
      limiter.take([demand(1, { periodMs: PERIODS.second })]);
    }
    assert.ok(limiter.size <= 2_000, `holds ${limiter.size}`);
  });

  it('keeps counters in memory that count, however many others are looked through', () => {
    present = START;
    const limiter = createMemoryLimiter({ clock });
    const kept = Array.from({ length: 100 }, () => demand(1));
    for (const one of kept) limiter.take([one]);
    for (let i = 0; i < 1_000; i += 1) {
      present += 2_000;
      limiter.take([demand(1, { periodMs: PERIODS.second })]);
    }
    for (const one of kept) assert.equal(limiter.take([one]).allowed, false);
  });

  it('answers at once from memory', () => {
    present = START;
    const limiter = createMemoryLimiter({ clock });
    assert.equal(limiter.take([demand(1)]).allowed, true);
    assert.equal(limiter.peek([demand(1)]).allowed, true);
  });

  it('calls counters by names that nobody can read, outside of the process', () => {
    const counter = 'quota\nhour\nacme\nsubject\nuser\nalice';
    assert.equal(storedName(counter), '80cf1eef8f7124f3947e48ae3ae60954d5fe0559');
  });

  it('goes by the clock of the store where none is given', async () => {
    await assertOwnClock(createPostgresLimiter({ database: database.database }));
  });

  describe('in Redis', () => {
    let store: TestRedis | undefined;
    const prefix = `test:${randomUUID()}:`;
    const redis = (): Redis => {
      assert.ok(store !== undefined, 'there is a Redis');
      return store.redis;
    };

    before(async function () {
      store = await testRedis();
      if (store === undefined) this.skip();
    });
    after(async () => {
      if (store === undefined) return;
      const keys = await redis().keys(`${prefix}*`);
      if (keys.length > 0) await redis().del(...keys);
      await store.close();
    });

    limiterContract('Redis', async () => createRedisLimiter({ redis: redis(), clock, prefix }), 30);

    it('lets counters end by themselves, a node keeping those of a tenant', async () => {
      const wanted = demand(1, { tenant: 'globex', periodMs: PERIODS.minute });
      await createRedisLimiter({ redis: redis(), clock, prefix }).take([wanted]);
      const key = `${prefix}{globex}:${storedName(wanted.counter)}`;
      const ttl = await redis().pttl(key);
      assert.ok(ttl > 60_000 && ttl <= 122_000, `ends in ${ttl} ms`);
    });

    it('asks Redis once for a check, however many limits it has', async () => {
      const limiter = createRedisLimiter({ redis: redis(), clock, prefix });
      const wanted = Object.values(PERIODS).map((periodMs) => demand(9, { periodMs }));
      // Redis may have to be told the script first.
      await limiter.take(wanted);
      const sent: string[] = [];
      const client = redis();
      const send = client.sendCommand.bind(client);
      client.sendCommand = (command, stream) => {
        sent.push(command.name);
        return send(command, stream);
      };
      try {
        await limiter.take(wanted);
      } finally {
        client.sendCommand = send;
      }
      assert.deepEqual(sent, ['evalsha']);
    });

    it('goes by its own clock where none is given', () =>
      assertOwnClock(createRedisLimiter({ redis: redis(), prefix })));
  });
});

/** Counts in the bucket of this very moment, as the machine's clock has it. */
async function assertOwnClock(limiter: Limiter): Promise<void> {
  const wanted = demand(1);
  const { receipt } = await limiter.take([wanted]);
  const bucket = Math.floor((Date.now() * 60) / wanted.periodMs);
  assert.ok(Math.abs((receipt[0]?.bucket ?? 0) - bucket) <= 1, 'the bucket of now');
  assert.equal((await limiter.take([wanted])).allowed, false);
}
