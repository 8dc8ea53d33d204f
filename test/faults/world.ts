import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type TestDatabase, testDatabase } from '../support/database.js';
import { type RedisServer, startRedisServer, testRedis } from '../support/redis.js';
import { type ServerProcess, spawnServer, temporaryDataDir } from '../support/server-process.js';
import { postgresProxy, redisProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { writePolicy } from './policy.js';

/** A request without an answer for so long, in milliseconds, was not answered. */
const ANSWER_TIME = 10_000;

/** What a call came to. */
export interface Reply {
  readonly status: number;
  /** Seconds; undefined where the header was not sent. */
  readonly retryAfter: number | undefined;
  readonly body: Record<string, unknown>;
}

/** One of the three. */
export interface Node {
  readonly name: string;
  readonly process: ServerProcess;
  /** Rejects where no answer came. */
  call(method: string, path: string, body?: object, key?: string): Promise<Reply>;
}

/** A Redis by way of a proxy, and how it is lost. */
export interface LosableRedis {
  readonly proxy: TcpProxy;
  /** Kills it where it is our own, else cuts its connections. */
  lose(): Promise<void>;
  restore(): Promise<void>;
}

/** Three servers on one Postgres and, unless they do without, one Redis, reached through proxies. */
export interface World {
  readonly tenant: string;
  /** Whether its stores may be away: a server may then have to answer before it has its own change. */
  readonly isLosable: boolean;
  readonly nodes: readonly [Node, Node, Node];
  readonly database: TestDatabase;
  readonly postgres: TcpProxy;
  readonly redis: LosableRedis | undefined;
  /** Stops the servers, each by itself, and gives what was wrong with how they ran and ended. */
  stop(): Promise<string[]>;
  close(): Promise<void>;
}

/** Whether the world has a Redis, and one that may be killed. */
export type RedisUse = 'none' | 'shared' | 'losable';

/** Starts one; undefined where it needs a Redis and there is none to be had. */
export async function startWorld(use: RedisUse): Promise<World | undefined> {
  const closers: (() => Promise<unknown>)[] = [];
  const redis = use === 'none' ? undefined : await openRedis(use, closers);
  if (use !== 'none' && redis === undefined) return undefined;
  // Keys in Redis carry the tenant: one that nobody else has makes them our own.
  const tenant = `faults-${randomBytes(6).toString('hex')}`;
  const rootKey = randomBytes(32).toString('base64url');
  const database = await testDatabase();
  closers.push(() => database.close());
  const { proxy: postgres, url: databaseUrl } = await postgresProxy(database.url);
  closers.push(() => postgres.cut());
  const folder = await temporaryDataDir();
  closers.push(() => folder.remove());
  await writePolicy(join(folder.path, 'policies'), tenant);

  const start = async (name: string): Promise<Node> => {
    const server = spawnServer(join(folder.path, name), {
      DATABASE_URL: databaseUrl,
      COUNTERSIGN_ROOT_KEY: rootKey,
      COUNTERSIGN_POLICY_DIR: join(folder.path, 'policies'),
      COUNTERSIGN_DRAIN: '0s',
      ...(redis && { REDIS_URL: redis.url }),
    });
    closers.push(async () => {
      server.child.kill('SIGKILL');
      await server.ended;
    });
    const url = await server.listening;
    return { name, process: server, call: callerOf(url, rootKey) };
  };
  const close = async (): Promise<void> => {
    for (let next = closers.pop(); next !== undefined; next = closers.pop()) await next();
  };
  try {
    // All at once: one of them migrates and applies the bundle, the others find it done.
    const nodes = await Promise.all([start('one'), start('two'), start('three')]);
    const stop = async () => (await Promise.all(nodes.map(stopNode))).flat();
    const isLosable = use === 'losable';
    return { tenant, isLosable, nodes, database, postgres, redis, stop, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Resolves once it holds, looking again and again; the test's own time is the bound. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await delay(10);
}

function callerOf(url: string, rootKey: string): Node['call'] {
  return async (method, path, body, key = rootKey) => {
    const response = await fetch(url + path, {
      method,
      headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' },
      signal: AbortSignal.timeout(ANSWER_TIME),
      ...(body && { body: JSON.stringify(body) }),
    });
    const retryAfter = response.headers.get('retry-after');
    return {
      status: response.status,
      retryAfter: retryAfter === null ? undefined : Number(retryAfter),
      body: (await response.json()) as Record<string, unknown>,
    };
  };
}

/** A server that a test killed has nothing more to say. */
async function stopNode({ name, process: { child, ended } }: Node): Promise<string[]> {
  const wasKilled = child.signalCode === 'SIGKILL';
  child.kill('SIGTERM');
  const { code, stderr } = await ended;
  const told = /unhandled|uncaught|request failed|Node\.js v\d/i.exec(stderr);
  return [
    ...(code === 0 || wasKilled ? [] : [`${name} ended with ${code}`]),
    ...(told === null ? [] : [`${name} says ${stderr.slice(told.index, told.index + 500)}`]),
  ];
}

async function openRedis(
  use: 'shared' | 'losable',
  closers: (() => Promise<unknown>)[],
): Promise<(LosableRedis & { readonly url: string }) | undefined> {
  const own = use === 'losable' ? await startRedisServer() : undefined;
  const target = own ?? (await testRedis());
  if (target === undefined) return undefined;
  closers.push(() => target.close());
  const { proxy, url } = await redisProxy(target.url);
  closers.push(() => proxy.cut());
  return { url, proxy, ...losing(proxy, own) };
}

function losing(
  proxy: TcpProxy,
  own: RedisServer | undefined,
): Pick<LosableRedis, 'lose' | 'restore'> {
  if (own === undefined) return { lose: () => proxy.cut(), restore: () => proxy.mend() };
  return { lose: () => own.kill(), restore: () => own.start() };
}
