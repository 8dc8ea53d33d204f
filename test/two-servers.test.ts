import assert from 'node:assert/strict';
import { type TestRedis, testRedis } from './support/redis.js';
import { type TestServer, testServer } from './support/server.js';
import { type TcpProxy, tcpProxy } from './support/tcp-proxy.js';

/** Milliseconds: a server that nobody tells looks after 5,000. */
const TOLD = 3_000;

const READ = { tenant: 'acme', subject: 'newcomer', action: 'read', resource: 'document:1' };

describe('two servers on one database', () => {
  let one: TestServer;
  let other: TestServer;
  before(async () => {
    one = await testServer();
    other = await testServer({ databaseUrl: one.database.url, rootKey: one.rootKey });
  });
  after(async () => {
    await other.close();
    await one.close();
  });

  it('answer by the same rules: who asks for a revision gets its rules anywhere', async () => {
    const before = await other.call('POST', '/check', { key: one.rootKey, body: READ });
    assert.equal(before.body['allowed'], false, before.text);
    const add = [['g', 'newcomer', 'viewer', 'acme']];
    const changed = await one.call<{ revision: number }>('POST', '/v1/rules', { body: { add } });
    const body = { ...READ, min_revision: changed.body.revision };
    assert.equal(
      (await other.call('POST', '/check', { key: one.rootKey, body })).body['allowed'],
      true,
    );
  });

  it('are told of a change: a revoked key is refused by the other soon, and for good', async () => {
    const { id, key } = await one.key(['service'], { tenant: 'acme' });
    const ask = async () => (await other.call('POST', '/check', { key, body: READ })).status;
    const until = async (status: number): Promise<void> => {
      for (const end = Date.now() + TOLD; (await ask()) !== status; ) {
        assert.ok(Date.now() < end, `not answered with ${status} in time`);
      }
    };
    await until(200);
    await one.call('DELETE', `/v1/keys/${id}`);
    await until(401);
  });

  it('share their rate limits', async () => {
    const body = { tenant: 'acme', subject: 'mona', action: 'export', resource: 'report:1' };
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, index) =>
        (index % 2 === 0 ? one : other).call('POST', '/check', { key: one.rootKey, body }),
      ),
    );
    assert.equal(answers.filter((answer) => answer.body['allowed'] === true).length, 5);
  });
});

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('three servers on one database and one Redis', () => {
  let redis: TestRedis | undefined;
  let proxy: TcpProxy;
  let first: TestServer;
  let servers: TestServer[];

  before(async function () {
    redis = await testRedis();
    if (redis === undefined) return this.skip();
    const { host = '127.0.0.1', port = 6379, path } = redis.redis.options;
    proxy = await tcpProxy(path ? { path } : { host, port });
    const redisUrl = `redis://127.0.0.1:${proxy.port}`;
    first = await testServer({ redisUrl });
    const settings = { redisUrl, databaseUrl: first.database.url, rootKey: first.rootKey };
    servers = [first, await testServer(settings), await testServer(settings)];
  });
  after(async () => {
    for (const server of servers.toReversed()) await server.close();
    await proxy.cut();
    await redis?.close();
  });

  const mayRead = async (server: TestServer, subjects: readonly string[]): Promise<boolean> => {
    const checks = subjects.map((subject) => ({ subject }));
    const defaults = { tenant: 'acme', action: 'read', resource: 'document:1' };
    type Results = { results: readonly { allowed: boolean }[] };
    const asked = await server.call<Results>('POST', '/check/batch', {
      key: first.rootKey,
      body: { checks, defaults },
    });
    assert.equal(asked.status, 200, asked.text);
    return asked.body.results.every(({ allowed }) => allowed);
  };
  const add = async (server: TestServer, subject: string): Promise<void> => {
    const body = { add: [['g', subject, 'viewer', 'acme']] };
    const { status, text } = await server.call('POST', '/v1/rules', {
      key: first.rootKey,
      body,
    });
    assert.equal(status, 200, text);
  };
  const allMayRead = async (subjects: readonly string[]): Promise<void> => {
    for (const server of servers) {
      for (const end = Date.now() + TOLD; !(await mayRead(server, subjects)); ) {
        assert.ok(Date.now() < end, 'a server was not told of a change');
      }
    }
  };
  /** Messages that a server has heard through Redis. */
  const heard = async ({ running }: TestServer): Promise<number> => {
    const metric = await running.metrics
      .getSingleMetric('countersign_change_messages_total')
      ?.get();
    const values = metric?.values.filter(({ labels }) => labels['way'] === 'redis') ?? [];
    return values.reduce((sum, { value }) => sum + value, 0);
  };

  it('are told of every change, made through any of them', async () => {
    const subjects = Array.from({ length: 200 }, (_, index) => `reader-${index}`);
    const made = servers.map(async (server, offset) => {
      for (const [index, subject] of subjects.entries()) {
        if (index % servers.length === offset) await add(server, subject);
      }
    });
    await Promise.all(made);
    await allMayRead(subjects);
    for (const server of servers) {
      for (const end = Date.now() + TOLD; (await heard(server)) < 200; await turn()) {
        assert.ok(Date.now() < end, 'messages through Redis did not arrive');
      }
    }
  });

  it('are told by Postgres while Redis is away, and change what they are asked to', async () => {
    await proxy.cut();
    await add(first, 'reader-without-redis');
    await allMayRead(['reader-without-redis']);
    await proxy.mend();
  });
});
