import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';

/** A Redis for tests, which keep to keys of their own. */
export interface TestRedis {
  readonly redis: Redis;
  close(): Promise<void>;
}

/**
 * The Redis that `REDIS_URL` names, else the one on this machine's usual port, else one started for
 * the purpose where `redis-server` is installed. Undefined where there is none to be had, which is
 * said in one line; with `CI=true` that is an error.
 */
export async function testRedis(): Promise<TestRedis | undefined> {
  const known = await connected({ url: process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379' });
  if (known !== undefined) return { redis: known, close: async () => void (await known.quit()) };
  const started = await startRedis();
  if (started !== undefined) return started;
  const message = 'no Redis for these tests: apt-get install redis-server (or set REDIS_URL)';
  if (process.env['CI'] === 'true') throw new Error(message);
  process.stderr.write(`${message}\n`);
  return undefined;
}

async function connected(where: { url: string } | { path: string }): Promise<Redis | undefined> {
  const options = { lazyConnect: true, retryStrategy: () => null, connectTimeout: 1_000 };
  const redis =
    'url' in where ? new Redis(where.url, options) : new Redis({ ...options, path: where.path });
  redis.on('error', () => undefined);
  try {
    await redis.connect();
    return redis;
  } catch {
    redis.disconnect();
    return undefined;
  }
}

async function startRedis(): Promise<TestRedis | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-redis-'));
  const path = join(folder, 'redis.sock');
  const server = spawn(
    'redis-server',
    ['--port', '0', '--unixsocket', path, '--save', '', '--dir', folder],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  );
  const ready = new Promise<boolean>((resolve) => {
    server.on('error', () => resolve(false));
    server.on('exit', () => resolve(false));
    server.stdout.on('data', (text: Buffer) => {
      if (/ready to accept/i.test(text.toString())) resolve(true);
    });
  });
  const redis = (await ready) ? await connected({ path }) : undefined;
  if (redis === undefined) {
    await rm(folder, { recursive: true, force: true });
    return undefined;
  }
  return {
    redis,
    async close() {
      redis.disconnect();
      server.kill();
      await once(server, 'exit');
      await rm(folder, { recursive: true, force: true });
    },
  };
}
