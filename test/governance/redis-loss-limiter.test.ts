import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import * as fc from 'fast-check';
import { Unavailable } from '../../src/errors.js';
import { HeardCounts } from '../../src/governance/heard-counts.js';
import type { Demand, Limiter, Taken } from '../../src/governance/limiter.js';
import { OwedCounts } from '../../src/governance/owed-counts.js';
import { createRedisLimiter, type SharedLimiter } from '../../src/governance/redis-limiter.js';
import {
  createRedisLossLimiter,
  type OnRedisLoss,
  type RedisLossLimiter,
  type Uncounted,
} from '../../src/governance/redis-loss-limiter.js';
import type { Eventual } from '../../src/platform/eventual.js';
import { later, type Later } from '../../src/platform/later.js';
import { keepBusy } from '../support/busy.js';
import { type TestRedis, testRedis } from '../support/redis.js';

const START = Date.parse('2026-03-30T10:00:00Z');
const HOUR = 3_600_000;

/** What becomes of what a server asks: `lost` is done, and nobody hears of it. */
type Fate = 'answered' | 'late' | 'lost' | 'away' | 'refused';

/** Between a server and the Redis of these tests, so that they have its answers come when they want. */
class Line implements SharedLimiter {
  fate: Fate = 'answered';
  asked = 0;
  readonly #redis: SharedLimiter;
  #held: Later<void>[] = [];

  constructor(redis: SharedLimiter) {
    this.#redis = redis;
  }

  take(demands: readonly Demand[]): Promise<Taken> {
    return this.#pass(async () => this.#redis.take(demands));
  }

  peek(demands: readonly Demand[]): Promise<Taken> {
    return this.#pass(async () => this.#redis.peek(demands));
  }

  giveBack(receipt: Taken['receipt']): Promise<void> {
    return this.#pass(() => this.#redis.giveBack(receipt));
  }

  add(spent: Parameters<SharedLimiter['add']>[0]): Promise<void> {
    return this.#pass(() => this.#redis.add(spent));
  }

  /** Has everything arrive that is late. */
  arrive(): void {
    for (const held of this.#held.splice(0)) held.resolve();
  }

  async #pass<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
    this.asked += 1;
    const { fate } = this;
    if (fate === 'away') {
      throw new Error("Stream isn't writeable and enableOfflineQueue options is false");
    }
    if (fate === 'refused')
      throw new Error("READONLY You can't write against a read only replica.");
    const answer = ask();
    if (fate === 'lost') {
      await answer;
      throw new Error('Connection is closed.');
    }
    if (fate === 'late') {
      const held = later<void>();
      this.#held.push(held);
      await held.promise;
    }
    return answer;
  }
}

/** What a limiter says; nothing, where it says to try again. */
async function asked(ask: () => Eventual<Taken>): Promise<Taken | undefined> {
  try {
    return await ask();
  } catch (error) {
    assert.ok(error instanceof Unavailable, String(error));
    return undefined;
  }
}

/** One server: its limiter, and the line from there to Redis. */
interface Server extends RedisLossLimiter {
  readonly line: Line;
}

describe('rate limits while Redis is late or away', () => {
  const prefix = `test:${randomUUID()}:`;
  let store: TestRedis;
  let now: number;
  let uncounted: Uncounted[];
  let breakers: boolean[];
  let exact: SharedLimiter;
  const clock = { now: () => now };

  before(async function () {
    const opened = await testRedis();
    if (opened === undefined) return this.skip();
    store = opened;
    exact = createRedisLimiter({ redis: store.redis, clock, prefix });
  });
  beforeEach(() => {
    [now, uncounted, breakers] = [START, [], []];
  });
  after(async () => {
    if (store === undefined) return;
    const keys = await store.redis.keys(`${prefix}*`);
    if (keys.length > 0) await store.redis.del(...keys);
    await store.close();
  });

  const demand = (over: Partial<Demand> = {}): Demand => ({
    ruleId: 'quota',
    tenant: 'acme',
    counter: randomUUID(),
    periodMs: HOUR,
    count: 10,
    ...over,
  });
  /** A busy machine may be late where it is not to be: hence the patience. */
  const serverOf = ({
    onLoss = 'local',
    place = 0,
    servers = 1,
    patience = 2_000,
    partOf,
  }: {
    readonly onLoss?: OnRedisLoss;
    readonly place?: number;
    readonly servers?: number;
    readonly patience?: number;
    readonly partOf?: (tenant: string) => string;
  } = {}): Server => {
    let line: Line | undefined;
    const limiter = createRedisLossLimiter({
      openShared(onRead) {
        line = new Line(createRedisLimiter({ redis: store.redis, clock, prefix, onRead }));
        return line;
      },
      onLoss,
      clock,
      steadyClock: clock,
      standing: () => ({ count: servers, place }),
      onUncounted: (how) => uncounted.push(how),
      onBreaker: (isOpen) => breakers.push(isOpen),
      ...(partOf && { partOf }),
      patience,
    });
    assert.ok(line !== undefined, 'it is opened');
    return Object.assign(limiter, { line });
  };
  const threeServers = (patience?: number): Server[] =>
    [0, 1, 2].map((place) => serverOf({ place, servers: 3, ...(patience && { patience }) }));
  /** How many of so many tries are allowed; the others are refused. */
  const allowedOf = async (limiter: Limiter, wanted: Demand, tries: number): Promise<number> => {
    let allowed = 0;
    for (let i = 0; i < tries; i += 1) if ((await limiter.take([wanted])).allowed) allowed += 1;
    return allowed;
  };
  /** What is in Redis, whatever servers think. */
  const usedOf = async (wanted: Demand): Promise<number> => {
    const { tightest } = await exact.peek([{ ...wanted, count: 1_000 }]);
    return 999 - (tightest?.remaining ?? Number.NaN);
  };
  /** Lets what is under way between here and Redis end. */
  const settled = async (): Promise<void> => {
    for (let i = 0; i < 3; i += 1) await store.redis.ping();
  };

  it('are counted in Redis as long as it answers', async () => {
    const server = serverOf();
    assert.equal(await allowedOf(server, demand(), 12), 10);
    assert.deepEqual([server.line.asked, uncounted], [12, []]);
  });

  describe('that is late', () => {
    it('are not answered, and what was taken goes back when the answer arrives', async () => {
      const server = serverOf({ patience: 20 });
      const wanted = demand();
      server.line.fate = 'late';
      await assert.rejects(
        async () => server.take([wanted]),
        (error) => {
          assert.ok(error instanceof Unavailable, String(error));
          assert.equal(error.retryAfter, 1);
          return true;
        },
      );
      await assert.rejects(async () => server.peek([wanted]), Unavailable);
      assert.equal(await usedOf(wanted), 1);
      server.line.fate = 'answered';
      server.line.arrive();
      await settled();
      assert.equal(await usedOf(wanted), 0);
      assert.deepEqual(uncounted, ['late', 'late']);
    });

    it('get nothing back that was not taken', async () => {
      const server = serverOf({ patience: 20 });
      const wanted = demand({ count: 1 });
      await exact.take([wanted]);
      server.line.fate = 'late';
      await assert.rejects(async () => server.take([wanted]), Unavailable);
      server.line.fate = 'answered';
      server.line.arrive();
      await settled();
      assert.equal(await usedOf(wanted), 1);
    });

    it('are answered where this process was too busy to read what had arrived', async () => {
      const server = serverOf({ patience: 20 });
      const wanted = demand();
      // The first time Redis has to be told the script.
      await exact.take([wanted]);
      for (let i = 0; i < 3; i += 1) {
        const taken = server.take([wanted]);
        keepBusy(60);
        assert.equal((await taken).allowed, true);
      }
      assert.deepEqual(uncounted, []);
    });

    it('stay counted with `allow`, which lets such a check pass', async () => {
      const server = serverOf({ onLoss: 'allow', patience: 20 });
      const wanted = demand({ count: 1 });
      server.line.fate = 'late';
      assert.equal(await allowedOf(server, wanted, 3), 3);
      server.line.arrive();
      await settled();
      assert.equal(await usedOf(wanted), 1);
      assert.deepEqual(uncounted, ['allow', 'allow', 'allow']);
    });

    it('are waited for no more after half a second of late answers, until one arrives', async () => {
      const server = serverOf({ patience: 20 });
      const wanted = demand({ count: 1_000 });
      server.line.fate = 'late';
      const ask = async (): Promise<unknown> => server.take([wanted]);
      await Promise.allSettled(Array.from({ length: 9 }, ask));
      assert.deepEqual(breakers, [], 'a spell is not enough');
      now += 500;
      await assert.rejects(ask, Unavailable);
      assert.deepEqual(breakers, [true]);
      await assert.rejects(ask, Unavailable);
      assert.equal(server.line.asked, 10);
      server.line.fate = 'answered';
      server.line.arrive();
      while ((await usedOf(wanted)) > 0) await settled();
      assert.equal((await server.take([wanted])).allowed, true);
      assert.deepEqual(breakers, [true, false]);
      assert.deepEqual(uncounted, Array<string>(11).fill('late'));
    });

    it('are asked for again where the connection is lost, and counted here', async () => {
      const server = serverOf({ patience: 20 });
      const wanted = demand();
      server.line.fate = 'late';
      const ask = () => asked(() => server.take([wanted]));
      await Promise.all(Array.from({ length: 5 }, ask));
      now += 500;
      await ask();
      server.line.fate = 'away';
      now += 99;
      assert.equal(await ask(), undefined);
      now += 1;
      assert.equal((await ask())?.allowed, true);
      assert.deepEqual(breakers, [true, false]);
    });

    it('are late in one part of the store alone', async () => {
      const parts = new Map([
        ['acme', 'a'],
        ['globex', 'b'],
      ]);
      const server = serverOf({ patience: 20, partOf: (tenant) => parts.get(tenant) ?? '' });
      server.line.fate = 'late';
      const ask = async (): Promise<unknown> => server.take([demand()]);
      await Promise.allSettled(Array.from({ length: 5 }, ask));
      now += 500;
      await assert.rejects(ask, Unavailable);
      server.line.fate = 'answered';
      await assert.rejects(ask, Unavailable);
      assert.equal((await server.take([demand({ tenant: 'globex' })])).allowed, true);
      assert.deepEqual(breakers, [true]);
      server.line.arrive();
    });

    it('never let more through than the count, whatever is late, and all of it in the end', async () => {
      const step = fc.record({
        server: fc.nat(2),
        fate: fc.constantFrom<Fate>('answered', 'answered', 'late'),
        call: fc.constantFrom('take', 'take', 'take', 'peek', 'give back', 'arrive'),
      });
      const property = fc.asyncProperty(
        fc.array(step, { minLength: 10, maxLength: 40 }),
        fc.integer({ min: 1, max: 8 }),
        async (steps, count) => {
          const servers = threeServers(4);
          const wanted = demand({ count });
          const held: Taken['receipt'][] = [];
          for (const { server: index, fate, call } of steps) {
            const server = servers[index] as Server;
            server.line.fate = fate;
            if (call === 'arrive') server.line.arrive();
            else if (call === 'give back') await server.giveBack(held.pop() ?? []);
            else {
              const taken = await asked(() => server[call]([wanted]));
              if (taken?.allowed === true && call === 'take') held.push(taken.receipt);
            }
            assert.ok(held.length <= count, `${held.length} of ${count}`);
          }
          for (const { line } of servers) {
            line.fate = 'answered';
            line.arrive();
          }
          await settled();
          while ((await usedOf(wanted)) > held.length) await settled();
          assert.equal(await usedOf(wanted), held.length);
        },
      );
      await fc.assert(property, { numRuns: 25 });
    });
  });

  describe('that is away', () => {
    for (const fate of ['away', 'lost', 'refused'] as const) {
      it(`are counted here from the first check on with \`local\` (${fate})`, async () => {
        const server = serverOf({ servers: 2 });
        server.line.fate = fate;
        assert.equal(await allowedOf(server, demand(), 6), 5);
        assert.deepEqual(uncounted, Array<string>(6).fill('local'));
      });
    }

    it('are shared out by what was left when Redis was last heard', async () => {
      const wanted = demand();
      const servers = threeServers();
      for (let i = 0; i < 6; i += 1) await servers[i % 3]?.take([wanted]);
      for (const server of servers) await server.peek([wanted]);
      for (const { line } of servers) line.fate = 'away';
      const allowed: number[] = [];
      for (const server of servers) allowed.push(await allowedOf(server, wanted, 5));
      assert.deepEqual(allowed, [2, 1, 1]);
    });

    it('leave the last unit to one of the servers', async () => {
      const wanted = demand({ count: 1 });
      const servers = threeServers();
      for (const { line } of servers) line.fate = 'away';
      const allowed: number[] = [];
      for (const server of servers) allowed.push(await allowedOf(server, wanted, 2));
      assert.deepEqual(allowed, [1, 0, 0]);
    });

    it('free what leaves the window', async () => {
      const wanted = demand({ count: 4 });
      const server = serverOf();
      assert.equal(await allowedOf(server, wanted, 2), 2);
      now += HOUR / 2;
      server.line.fate = 'away';
      assert.equal(await allowedOf(server, wanted, 3), 2);
      now = START + HOUR + HOUR / 60;
      assert.equal(await allowedOf(server, wanted, 3), 2);
    });

    it('go by the time of Redis', () => {
      const heard = new HeardCounts({ now: () => now - 5_000 });
      heard.setTime(now, 1);
      assert.equal(heard.now(), now);
      heard.setTime(now - 700, 700);
      assert.equal(heard.now(), now, 'what was long on its way tells an old time');
    });

    it('are looked at without taking', async () => {
      const wanted = demand({ count: 1 });
      const server = serverOf();
      server.line.fate = 'away';
      for (let i = 0; i < 3; i += 1) assert.equal((await server.peek([wanted])).allowed, true);
      assert.equal(await allowedOf(server, wanted, 2), 1);
      assert.equal((await server.peek([wanted])).allowed, false);
    });

    it('are not answered with `deny`', async () => {
      const server = serverOf({ onLoss: 'deny' });
      server.line.fate = 'away';
      await assert.rejects(async () => server.take([demand()]), Unavailable);
      await assert.rejects(async () => server.peek([demand()]), Unavailable);
      assert.deepEqual(uncounted, ['deny', 'deny']);
    });

    it('do not count with `allow`', async () => {
      const server = serverOf({ onLoss: 'allow' });
      server.line.fate = 'away';
      assert.equal(await allowedOf(server, demand(), 20), 20);
      assert.deepEqual(await server.take([demand()]), { allowed: true, refused: [], receipt: [] });
    });

    it('hide no fault of ours behind an outage', async () => {
      const server = serverOf({ onLoss: 'allow' });
      server.line.take = () => Promise.reject(new Error('ERR wrong number of arguments'));
      await assert.rejects(async () => server.take([demand()]), /wrong number/);
      assert.deepEqual(uncounted, []);
    });

    it('never let more through than the count where all heard the same, and all of it in the end', async () => {
      const asks = fc.array(fc.nat(2), { maxLength: 25 });
      const property = fc.asyncProperty(
        fc.integer({ min: 1, max: 12 }),
        fc.tuple(asks, asks, asks, asks),
        fc.constantFrom([0, 1, 2], [2, 0, 1], [1, 2, 0]),
        async (count, [before, during, between, after], order) => {
          const wanted = demand({ count });
          const servers = threeServers();
          let allowed = 0;
          const ask = async (index: number): Promise<void> => {
            const taken = await asked(() => (servers[index] as Server).take([wanted]));
            if (taken?.allowed === true) allowed += 1;
            assert.ok(allowed <= count, `${allowed} of ${count}`);
          };
          for (const index of before) await ask(index);
          for (const server of servers) await server.peek([wanted]);
          for (const { line } of servers) line.fate = 'away';
          for (const index of during) await ask(index);
          for (const back of order) {
            const server = servers[back] as Server;
            server.line.fate = 'answered';
            await server.returned();
            for (const index of between) await ask(index);
          }
          now += 3_000;
          for (const index of [...after, ...Array<number>(count + 1).fill(0)]) await ask(index);
          assert.equal(await usedOf(wanted), allowed);
          assert.equal(allowed, count);
        },
      );
      await fc.assert(property, { numRuns: 40 });
    });
  });

  describe('that is back', () => {
    it('are told there in the sub-buckets in which they were taken', async () => {
      const wanted = demand();
      const server = serverOf();
      server.line.fate = 'away';
      await allowedOf(server, wanted, 2);
      now += HOUR / 2;
      await allowedOf(server, wanted, 3);
      server.line.fate = 'answered';
      await server.returned();
      assert.equal(await usedOf(wanted), 5);
      now = START + HOUR + HOUR / 60;
      assert.equal(await usedOf(wanted), 3);
      const [key = ''] = await store.redis.keys(`${prefix}*`);
      assert.ok((await store.redis.pttl(key)) > HOUR, 'and end by themselves');
    });

    it('are told there before anything else is asked of them', async () => {
      const wanted = demand();
      const server = serverOf();
      server.line.fate = 'away';
      await allowedOf(server, wanted, 8);
      server.line.fate = 'answered';
      const answers = await Promise.all([1, 2, 3].map(async () => server.take([wanted])));
      assert.equal(answers.filter(({ allowed }) => allowed).length, 2);
      assert.equal(await usedOf(wanted), 10);
    });

    it('are told there all, many counters of several tenants', async () => {
      const all = Array.from({ length: 500 }, (_, i) => demand({ tenant: `tenant-${i % 3}` }));
      const server = serverOf();
      server.line.fate = 'away';
      for (const wanted of all) await server.take([wanted]);
      server.line.fate = 'answered';
      server.line.asked = 0;
      await server.returned();
      assert.equal(server.line.asked, 9);
      for (const wanted of all) assert.equal(await usedOf(wanted), 1);
      await server.returned();
      assert.equal(server.line.asked, 9, 'once');
    });

    it('are told there again where nobody knows whether it heard', async () => {
      const wanted = demand();
      const server = serverOf();
      server.line.fate = 'away';
      await allowedOf(server, wanted, 3);
      server.line.fate = 'lost';
      await server.returned();
      assert.equal(await usedOf(wanted), 3);
      server.line.fate = 'answered';
      await server.returned();
      assert.equal(await usedOf(wanted), 6);
    });

    it('take no more there than their share, until other servers have told theirs', async () => {
      const wanted = demand({ count: 9 });
      const servers = threeServers();
      const [one, two, three] = servers as [Server, Server, Server];
      for (const { line } of servers) line.fate = 'away';
      assert.equal(await allowedOf(one, wanted, 4), 3);
      two.line.fate = 'answered';
      await two.returned();
      assert.equal(await allowedOf(two, wanted, 3), 3);
      await assert.rejects(async () => two.take([wanted]), Unavailable);
      await assert.rejects(async () => two.peek([wanted]), Unavailable);
      for (const server of [one, three]) {
        server.line.fate = 'answered';
        await server.returned();
      }
      now += 3_000;
      assert.equal(await allowedOf(two, wanted, 4), 3);
      assert.equal(await usedOf(wanted), 9);
    });

    it('start from what was told there when it is away again', async () => {
      const wanted = demand();
      const server = serverOf();
      server.line.fate = 'away';
      await allowedOf(server, wanted, 4);
      server.line.fate = 'answered';
      await server.returned();
      server.line.fate = 'away';
      assert.equal(await allowedOf(server, wanted, 8), 6);
    });

    it('get back what was taken where it is', async () => {
      const wanted = demand();
      const server = serverOf();
      const inRedis = await server.take([wanted]);
      server.line.fate = 'away';
      now += HOUR / 60;
      const [told, untold] = [await server.take([wanted]), await server.take([wanted])];
      await server.giveBack(untold.receipt);
      server.line.fate = 'answered';
      await server.returned();
      assert.equal(await usedOf(wanted), 2);
      await server.giveBack(told.receipt);
      assert.equal(await usedOf(wanted), 1);
      await server.giveBack(inRedis.receipt);
      assert.equal(await usedOf(wanted), 0);
    });

    it('get back what could not be given back while it was away, once', async () => {
      const wanted = demand();
      const server = serverOf();
      const [one, two] = [await server.take([wanted]), await server.take([wanted])];
      await server.take([wanted]);
      server.line.fate = 'away';
      await assert.rejects(server.giveBack(one.receipt), /writeable/);
      assert.equal(await usedOf(wanted), 3);
      server.line.fate = 'lost';
      await assert.rejects(server.giveBack(two.receipt), /closed/);
      assert.equal(await usedOf(wanted), 2);
      server.line.fate = 'answered';
      await server.returned();
      await server.returned();
      assert.equal(await usedOf(wanted), 1);
    });
  });

  describe('are remembered', () => {
    it('for so many counters as there is room for, and others are not answered', async () => {
      const owed = new OwedCounts(new Line(exact), clock, 2);
      const [one, two, three] = [demand(), demand(), demand()];
      for (const wanted of [one, two, one]) owed.take([wanted]);
      assert.throws(() => owed.take([one, three]), Unavailable);
      await owed.tellAll();
      assert.equal(owed.take([three]).allowed, true);
    });

    it('as they were last heard, the latest of them', () => {
      const heard = new HeardCounts(clock, 2);
      const [one, two, three] = [demand(), demand(), demand()];
      const uses = [{ bucket: Math.floor((START * 60) / HOUR), used: 4 }];
      for (const { counter } of [one, two, one, three]) heard.remember(counter, uses);
      assert.deepEqual(
        [one, two, three].map((wanted) => heard.leftOf(wanted)),
        [6, 10, 6],
      );
    });
  });
});
