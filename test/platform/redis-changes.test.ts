import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { writeMessage } from '../../src/platform/change-message.js';
import { type ChangeWatcher, createChangeWatcher } from '../../src/platform/change-watcher.js';
import { createLogger } from '../../src/platform/log.js';
import { listenOnRedis, type RedisListener } from '../../src/platform/redis-changes.js';
import { keepBusy } from '../support/busy.js';
import { startFakeRedis } from '../support/fake-redis.js';
import { type TestRedis, testRedis } from '../support/redis.js';
import { type TcpProxy, tcpProxy } from '../support/tcp-proxy.js';

/** A process that follows changes through a proxy before Redis. */
interface Follower {
  readonly watcher: ChangeWatcher;
  readonly proxy: TcpProxy;
  /** What is committed, and what it has. */
  committed: number;
  revision: number;
  pulls: number;
  /** Times that it was subscribed. */
  opened: number;
  readonly outcomes: string[];
  /** Resolves once this is so. */
  until(isSo: (follower: Follower) => boolean): Promise<void>;
  stop(): Promise<void>;
}

describe('changes told through Redis', () => {
  let test: TestRedis | undefined;
  let redis: Redis;
  let channel: string;
  let lines: { level: string; msg: string; way: string }[];
  let closers: (() => Promise<unknown>)[];

  before(async function () {
    test = await testRedis();
    if (test === undefined) this.skip();
    redis = test.redis;
  });
  after(() => test?.close());
  beforeEach(() => {
    channel = `test:${randomUUID()}`;
    lines = [];
    closers = [];
  });
  afterEach(async () => {
    for (const close of closers.toReversed()) await close();
  });

  /** Redis by way of a proxy, cut from the start where it is `away`. */
  async function proxied({ away = false } = {}): Promise<TcpProxy> {
    const { host = '127.0.0.1', port = 6379, path } = redis.options;
    const proxy = await tcpProxy(path ? { path } : { host, port });
    if (away) await proxy.cut();
    return proxy;
  }

  async function follow(
    options: Partial<RedisListener> & { readonly away?: boolean } = {},
  ): Promise<Follower> {
    const { away = false, ...others } = options;
    const proxy = await proxied({ away });
    let wake = (): void => {};
    const watcher = createChangeWatcher({
      revision: () => follower.revision,
      latestRevision: async () => follower.committed,
      publish: (text) => redis.publish(channel, text),
      counted: (_way, outcome) => {
        follower.outcomes.push(outcome);
        wake();
      },
    });
    watcher.setUpdateCallback(async () => {
      follower.pulls += 1;
      follower.revision = follower.committed;
      wake();
    });
    const follower: Follower = {
      watcher,
      proxy,
      committed: 0,
      revision: 0,
      pulls: 0,
      opened: 0,
      outcomes: [],
      async until(isSo) {
        while (!isSo(follower)) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      },
      async stop() {
        await (await listening)();
        await watcher.close();
        await proxy.mend();
        await proxy.cut();
      },
    };
    closers.push(() => follower.stop());
    const listening = listenOnRedis({
      url: `redis://127.0.0.1:${proxy.port}`,
      channel,
      log: createLogger('info', {
        write: (line: string) => {
          lines.push(JSON.parse(line));
          wake();
        },
      }),
      onMessage: (text) => watcher.heard('redis', text),
      onOpen: () => {
        follower.opened += 1;
        watcher.opened();
        wake();
      },
      ...others,
    });
    await listening;
    return follower;
  }

  const tell = (revision: number) =>
    redis.publish(channel, writeMessage({ revision, origin: 'other' }));

  it('begin with a look at what was told before', async () => {
    const follower = await follow();
    assert.deepEqual([follower.opened, follower.pulls], [1, 1]);
  });

  it('arrive, and a hundred in a burst give few looks', async () => {
    const follower = await follow();
    follower.committed = 100;
    await Promise.all(Array.from({ length: 100 }, (_, index) => tell(index + 1)));
    await follower.until(({ outcomes }) => outcomes.length === 100);
    await follower.until(({ revision }) => revision === 100);
    assert.ok(follower.pulls <= 3, `${follower.pulls} looks`);
  });

  it('are not missed while the connection is made anew', async () => {
    const follower = await follow();
    await follower.proxy.cut();
    for (follower.committed = 1; follower.committed < 20; follower.committed += 1) {
      await tell(follower.committed);
    }
    assert.equal(follower.revision, 0);
    await follower.proxy.mend();
    await follower.until(({ revision }) => revision === 20);
    assert.deepEqual(follower.outcomes, []);
    follower.committed = 21;
    await tell(21);
    await follower.until(({ revision }) => revision === 21);
    assert.deepEqual(
      lines.map(({ level, way }) => [level, way]),
      [
        ['warn', 'redis'],
        ['info', 'redis'],
      ],
    );
  });

  it('are not missed between the look and the subscription: it looks once that is confirmed', async () => {
    const follower = await follow();
    for (let round = 1; round <= 20; round += 1) {
      const { opened } = follower;
      await follower.proxy.cut();
      await follower.proxy.mend();
      // Told at whatever moment of the new beginning.
      for (let turn = 0; turn < round * 50; turn += 1) {
        await new Promise((resolve) => setImmediate(resolve));
      }
      follower.committed = round;
      await tell(round);
      await follower.until((now) => now.opened > opened && now.revision === round);
    }
  });

  it('of its own have nothing read', async () => {
    const follower = await follow();
    const { pulls } = follower;
    follower.committed = 5;
    assert.equal(await follower.watcher.update(), true);
    await follower.until(({ outcomes }) => outcomes.length === 1);
    assert.deepEqual([follower.outcomes, follower.pulls], [['own'], pulls]);
  });

  it('are told apart from whatever else is on the channel', async () => {
    const follower = await follow();
    const { pulls } = follower;
    const garbage = ['', 'reload', Buffer.from([0, 255, 128, 10]), '{"revision":"9"}', '[]'];
    for (const text of [...garbage, 'x'.repeat(5_000_000)]) await redis.publish(channel, text);
    await follower.until(({ outcomes }) => outcomes.length === 6);
    assert.deepEqual(new Set(follower.outcomes), new Set(['malformed']));
    assert.equal(follower.pulls, pulls);
    follower.committed = 1;
    await tell(1);
    await follower.until(({ revision }) => revision === 1);
  });

  it('do not keep a server from starting while Redis is away, and are heard once it comes', async () => {
    const follower = await follow({ away: true });
    assert.equal(follower.opened, 0);
    follower.committed = 3;
    await follower.proxy.mend();
    await follower.until(({ revision }) => revision === 3);
  });

  it('are listened for anew where the connection went silent', async () => {
    const follower = await follow({ silence: 100 });
    follower.proxy.stall();
    await follower.until(() => lines.some(({ level }) => level === 'warn'));
    follower.committed = 8;
    await follower.proxy.mend();
    await follower.until(({ revision, opened }) => revision === 8 && opened > 1);
  });

  it('are listened for on, on the same connection, by a process that was busy for long', async () => {
    const follower = await follow({ silence: 200 });
    const { proxy } = follower;
    // So that its question is under way while it is busy.
    proxy.slow(20);
    for (let round = 1; round <= 4; round += 1) {
      await delay(10);
      keepBusy(300);
    }
    follower.committed = 1;
    await tell(1);
    await follower.until(({ revision }) => revision === 1);
    assert.deepEqual([follower.opened, proxy.connections, lines], [1, 1, []]);
  });

  it('come by any node of a cluster: another is asked where one is away', async () => {
    const gone = await proxied({ away: true });
    const there = await proxied();
    closers.push(() => there.cut());
    const url = `redis+cluster://127.0.0.1:${gone.port},127.0.0.1:${there.port}`;
    const follower = await follow({ url });
    await follower.until(({ opened }) => opened === 1);
    follower.committed = 1;
    await tell(1);
    await follower.until(({ revision }) => revision === 1);
  });

  it('are listened for with the password, on a connection of that purpose, and neither is logged', async () => {
    const fake = await startFakeRedis();
    closers.push(() => fake.close());
    await follow({ url: `redis://user:hunter2@127.0.0.1:${fake.port}` });
    assert.ok(fake.received.includes('SUBSCRIBE'), fake.received.join(' '));
    assert.ok(!JSON.stringify(lines).includes('hunter2'), 'the password was logged');
  });

  it('are no more listened for once stopped, also while Redis is away', async () => {
    const follower = await follow();
    await follower.proxy.cut();
    await follower.stop();
    assert.deepEqual(
      lines.filter(({ level }) => level === 'info'),
      [],
    );
  });
});
