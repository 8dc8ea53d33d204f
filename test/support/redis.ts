import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';

/** A Redis for tests, which keep to keys of their own. */
export interface TestRedis {
  readonly url: string;
  readonly redis: Redis;
  close(): Promise<void>;
}

/** A Redis that a test may kill: on a port of its own, with nothing on disk. */
export interface RedisServer {
  readonly url: string;
  readonly port: number;
  /** Ends it as a crash would; what it held is gone. */
  kill(): Promise<void>;
  /** Starts it again on the same port. */
  start(): Promise<void>;
  close(): Promise<void>;
}

/**
 * The Redis that `REDIS_URL` names, else the one on this machine's usual port, else one started for
 * the purpose where `redis-server` is installed. Undefined where there is none to be had, which is
 * said in one line; with `CI=true` that is an error.
 */
export async function testRedis(): Promise<TestRedis | undefined> {
  const url = process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379';
  const known = await connected(url);
  if (known !== undefined)
    return { url, redis: known, close: async () => void (await known.quit()) };
  const server = await startRedisServer();
  const redis = server && (await connected(server.url));
  if (redis !== undefined && server !== undefined) {
    const close = async () => {
      redis.disconnect();
      await server.close();
    };
    return { url: server.url, redis, close };
  }
  const message = 'no Redis for these tests: apt-get install redis-server (or set REDIS_URL)';
  if (process.env['CI'] === 'true') throw new Error(message);
  process.stderr.write(`${message}\n`);
  return undefined;
}

/**
 * Starts a Redis; undefined where `redis-server` is not installed. `settings` are as on its command line,
 * in the place of `--port PORT`; `url` is the one without TLS.
 */
export async function startRedisServer({
  port,
  settings,
}: {
  readonly port?: number;
  readonly settings?: readonly string[];
} = {}): Promise<RedisServer | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-redis-'));
  const own = port ?? (await freePort());
  const given = settings ?? ['--port', String(own)];
  const run = () => runRedis([...given, '--bind', '127.0.0.1', '--save', '', '--dir', folder]);
  let running = await run();
  if (running === undefined) {
    await rm(folder, { recursive: true, force: true });
    return undefined;
  }
  const kill = async () => {
    if (running === undefined) return;
    const ended = once(running, 'exit');
    running.kill('SIGKILL');
    running = undefined;
    await ended;
  };
  return {
    url: `redis://127.0.0.1:${own}`,
    port: own,
    kill,
    async start() {
      running ??= await run();
      if (running === undefined) throw new Error('redis-server did not start again');
    },
    async close() {
      await kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Resolves once it takes connections, as Redis or, with `--sentinel`, as its watcher. */
async function runRedis(args: readonly string[]): Promise<ChildProcess | undefined> {
  const server = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'ignore'] });
  const isReady = await new Promise<boolean>((resolve) => {
    server.on('error', () => resolve(false));
    server.on('exit', () => resolve(false));
    server.stdout.on('data', (text: Buffer) => {
      if (/ready to accept|\+monitor/i.test(text.toString())) resolve(true);
    });
  });
  return isReady ? server : undefined;
}

async function connected(url: string): Promise<Redis | undefined> {
  const redis = new Redis(url, {
    lazyConnect: true,
    retryStrategy: () => null,
    connectTimeout: 1_000,
  });
  redis.on('error', () => undefined);
  try {
    await redis.connect();
    return redis;
  } catch {
    redis.disconnect();
    return undefined;
  }
}

/** A port that nobody listens on. */
export function freePort(): Promise<number> {
  return listenOn(0);
}

/** Whether nobody listens on a port. */
export async function isFree(port: number): Promise<boolean> {
  return listenOn(port).then(
    () => true,
    () => false,
  );
}

/** Listens for a moment, and says on which port. */
async function listenOn(wanted: number): Promise<number> {
  const server = createServer().listen(wanted, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
