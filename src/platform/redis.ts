import { Cluster, Redis, type RedisOptions } from 'ioredis';
import type { Logger } from './log.js';
import { parseRedisUrl, type RedisTarget } from './redis-url.js';

/** A connection to one Redis (or the one that Sentinel names), or to a cluster. */
export type RedisClient = Redis | Cluster;

/** ioredis ties the shape of its replies to this option's type, and we leave it alone. */
type Options = Omit<RedisOptions, 'replyMapping'>;

/** A decision waits this long for Redis, in milliseconds, and not longer. */
const COMMAND_TIMEOUT_MS = 50;

/** A connection that owes an answer for so long is given up and made anew. */
const SOCKET_TIMEOUT_MS = 2_000;

/** How long to wait before connection number `attempt` is tried again. */
const retryDelay = (attempt: number) => Math.min(50 * 2 ** Math.min(attempt, 6), 2_000);

/** Commands fail at once where there is no connection; none is kept, or sent a second time. */
const NEVER_QUEUE = {
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
} as const;

/**
 * A connection for subscriptions alone, not yet opened, and never opened again by itself: whoever
 * subscribes must know when it begins anew. Of a cluster, where every node hears what any is told, it
 * is one to the node whose turn `attempt` is.
 *
 * @param patience milliseconds in which it must answer
 */
export function openSubscriber(url: string, attempt: number, patience: number): Redis {
  const target = readTarget(url);
  const { addresses } = target;
  const address = addresses[attempt % addresses.length] ?? addresses[0];
  return openRedis(target.kind === 'cluster' ? { ...target, addresses: [address] } : target, {
    lazyConnect: true,
    autoResubscribe: false,
    commandTimeout: patience,
    retryStrategy: () => null,
    sentinelRetryStrategy: () => null,
  });
}

/**
 * Connects to Redis, and connects again for ever. No command takes longer than 50 ms: it answers or
 * fails. Outages are logged once each.
 *
 * @param url as `parseRedisUrl` takes it
 */
export function connectRedis(url: string, log: Logger): RedisClient {
  const target = readTarget(url);
  const redis = target.kind === 'cluster' ? openCluster(target) : openRedis(target);
  return withOutagesLogged(redis, log);
}

function readTarget(url: string): RedisTarget {
  const target = parseRedisUrl(url);
  if (target === undefined) throw new TypeError('`REDIS_URL` is no address of a Redis');
  return target;
}

function openRedis(target: RedisTarget, others: Options = {}): Redis {
  const { addresses, master, db, tls } = target;
  const options: Options = {
    ...optionsOf(target),
    ...NEVER_QUEUE,
    db,
    retryStrategy: retryDelay,
    sentinelRetryStrategy: retryDelay,
    ...others,
  };
  if (master === undefined) return new Redis({ ...options, ...addresses[0] });
  return new Redis({
    ...options,
    sentinels: [...addresses],
    name: master,
    enableTLSForSentinelMode: tls,
    ...(tls ? { sentinelTLS: {} } : {}),
  });
}

function openCluster(target: RedisTarget): Cluster {
  return new Cluster([...target.addresses], {
    enableOfflineQueue: false,
    clusterRetryStrategy: retryDelay,
    slotsRefreshTimeout: SOCKET_TIMEOUT_MS,
    redisOptions: optionsOf(target),
  });
}

function optionsOf({ username, password, tls }: RedisTarget): Options {
  return {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tls ? { tls: {} } : {}),
    connectionName: 'countersign',
    commandTimeout: COMMAND_TIMEOUT_MS,
    socketTimeout: SOCKET_TIMEOUT_MS,
    connectTimeout: SOCKET_TIMEOUT_MS,
  };
}

function withOutagesLogged<Client extends RedisClient>(redis: Client, log: Logger): Client {
  let away = false;
  // Without a listener the first lost connection would end the process.
  redis.on('error', (error: Error) => {
    if (!away) log.warn({ err: error }, 'Redis cannot be reached; trying again');
    away = true;
  });
  redis.on('ready', () => {
    if (away) log.info('Redis is back');
    away = false;
  });
  return redis;
}
