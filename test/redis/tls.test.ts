import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { installed, startTlsRedis, type TlsRedis } from '../support/redis-kinds.js';
import { followLog } from '../support/server-log.js';
import { type ServerProcess, spawnServer, temporaryDataDir } from '../support/server-process.js';
import {
  type Asked,
  type Ground,
  LIMIT,
  openGround,
  takeAll,
  tellOfManager,
} from './two-servers.js';

describe('two servers on a Redis that speaks TLS', function () {
  this.timeout(30_000);
  const key = randomBytes(32).toString('base64url');
  let redis: TlsRedis;
  let ground: Ground;
  let data: Awaited<ReturnType<typeof temporaryDataDir>>;
  let servers: readonly Asked[];
  const running: ServerProcess[] = [];

  /** A process of its own: Node reads whom it trusts as it starts. */
  const start = (name: string, env: Record<string, string> = {}): ServerProcess => {
    const server = spawnServer(join(data.path, name), {
      DATABASE_URL: ground.database.url,
      REDIS_URL: redis.url,
      COUNTERSIGN_ROOT_KEY: key,
      COUNTERSIGN_POLICY_DIR: ground.policyDir,
      COUNTERSIGN_DRAIN: '0s',
      ...env,
    });
    running.push(server);
    return server;
  };
  before(async function () {
    const started = await installed(() => startTlsRedis('correct-horse'), 'redis-server openssl');
    if (started === undefined) return this.skip();
    redis = started;
    ground = await openGround(['acme']);
    data = await temporaryDataDir();
    const trusting = { NODE_EXTRA_CA_CERTS: redis.authority };
    const urls = await Promise.all(['one', 'two'].map((name) => start(name, trusting).listening));
    servers = urls.map(askedAt);
  });
  after(async () => {
    for (const { child, ended } of running) {
      child.kill('SIGKILL');
      await ended;
    }
    await data?.remove();
    await ground?.close();
    await redis?.close();
  });

  const metricsOf = async (server: Asked | undefined): Promise<string> =>
    (await server?.call('GET', '/metrics', { key }))?.text ?? '';
  /** Messages of changes by this way that told the second server something new. */
  const told = async (way: string): Promise<number> => {
    const line = new RegExp(
      `^countersign_change_messages_total.way="${way}",outcome="new". (.*)`,
      'm',
    );
    return Number(line.exec(await metricsOf(servers[1]))?.[1] ?? 0);
  };

  it('count a rate limit together, exactly', async () => {
    assert.equal(await takeAll(servers, { key, subject: 'mona' }), LIMIT);
    for (const server of servers) {
      assert.doesNotMatch(
        await metricsOf(server),
        /^countersign_limits_without_redis_total.how="local". [1-9]/m,
      );
    }
  });

  it('are told of changes through it, without a word from Postgres', async () => {
    const before = await told('redis');
    await tellOfManager(servers, { key, subject: 'nina' });
    assert.equal(await told('redis'), before + 1);
    assert.equal(await told('postgres'), 0);
  });

  it('reach the nodes of a cluster by the names that their certificates are for', async () => {
    const asCluster = redis.url.replace('rediss:', 'rediss+cluster:');
    const env = { NODE_EXTRA_CA_CERTS: redis.authority, REDIS_URL: asCluster };
    // This Redis is none, and says so: it was reached.
    assert.match(await logUntilAway(start('three', env)), /cluster support disabled/);
  });

  it('show the certificate that they were given, where Redis asks for one', async () => {
    const strict = await startTlsRedis('correct-horse', { asks: true });
    assert.ok(strict);
    const { authority, certificate, key: certificateKey } = strict;
    const trusting = `${strict.url}?tls_ca=${authority}`;
    const shown = `${trusting}&tls_cert=${certificate}&tls_key=${certificateKey}`;
    try {
      const server = askedAt(await start('five', { REDIS_URL: shown }).listening);
      assert.equal(await takeAll([server], { key, subject: 'mona' }), LIMIT);
      assert.match((await server.call('GET', '/health')).text, /"redis":\{"status":"ok"/);
      assert.doesNotMatch(
        await metricsOf(server),
        /^countersign_limits_without_redis_total.*[1-9]$/m,
      );
      const refused = await logUntilAway(start('six', { REDIS_URL: trusting }));
      assert.match(refused, /certificate required|ECONNRESET|closed/);
    } finally {
      await strict.close();
    }
  });

  it('trust nobody whom they were not told to trust', async () => {
    const log = await logUntilAway(start('four'));
    assert.match(log, /unable to verify the first certificate|self-signed certificate/);
    assert.doesNotMatch(log, /correct-horse/);
  });
});

/** What a server says until it has told that Redis is away. */
async function logUntilAway(server: ServerProcess): Promise<string> {
  await followLog(server).until('Redis cannot be reached; trying again', 1);
  server.child.kill('SIGKILL');
  return (await server.ended).stderr;
}

function askedAt(url: string): Asked {
  return {
    async call(method, path, { key = '', body } = {}) {
      const response = await fetch(url + path, {
        method,
        headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      return { status: response.status, text: await response.text() };
    },
  };
}
