import type { Limiter } from './governance/limiter.js';
import { createMemoryLimiter } from './governance/memory-limiter.js';
import { createPostgresLimiter } from './governance/postgres-limiter.js';
import { createRedisLimiter } from './governance/redis-limiter.js';
import { createRedisLossLimiter } from './governance/redis-loss-limiter.js';
import { installRootKey } from './identity/install-root-key.js';
import { ensureRootKeyFile } from './identity/root-key.js';
import { Breaker } from './platform/breaker.js';
import type { Closer } from './closers.js';
import type { Clock } from './platform/clock.js';
import type { Config } from './platform/config.js';
import { connectDatabase, type ConnectionOptions, type Database } from './platform/database.js';
import { startEmbeddedPostgres } from './platform/embedded-postgres/embedded-postgres.js';
import type { Logger } from './platform/log.js';
import type { Metrics } from './platform/metrics.js';
import { migrateUp } from './platform/migrate.js';
import { later, withinTime } from './platform/later.js';
import type { RedisClient } from './platform/redis.js';
import { enterRoll } from './platform/server-roll.js';

/** What the server keeps its state in. */
export interface Stores {
  /** Where Postgres is. */
  readonly url: string;
  /**
   * For decisions: a query that is not answered within 250 ms fails, with the wait for its connection;
   * at once while Postgres is known to be away.
   */
  readonly database: Database;
  /** For the audit, and for approvals beside decisions: a query not answered within 2 seconds fails. */
  readonly records: Database;
  /** For changes of the policy and for looking things up, which may take their time. */
  readonly management: Database;
  /** For following the policy: nobody else's slow query may keep a change from arriving. */
  readonly following: Database;
  readonly redis: RedisClient | undefined;
  readonly limiter: Limiter;
  /** Settles with the reason when the embedded database ends by itself; never rejects. */
  readonly failed: Promise<string>;
}

/** What opening a store may need to say. */
interface Telling {
  readonly log: Logger;
  readonly clock: Clock;
  readonly metrics: Metrics;
}

/** The stores that decisions ask. */
type StoreName = 'postgres' | 'redis';

/** Connections that a server opens to Postgres for each purpose, at most. */
const POOL = { decisions: 8, records: 3, management: 4, following: 2, listening: 1 } as const;

/** Connections that one server opens to Postgres, at most. */
export const CONNECTIONS = Object.values(POOL).reduce((sum, size) => sum + size, 0);

/** Connections of the embedded database beside those of servers: for people, and for Postgres itself. */
const SPARE_CONNECTIONS = 20;

/** A decision waits this long for one answer of Postgres, and for a connection, in milliseconds. */
const DECISION_TIMEOUT = 250;

/** What is written beside decisions waits this long. */
const RECORD_TIMEOUT = 2_000;

/** Postgres itself ends a transaction that was given up here after so many milliseconds. */
const TRANSACTION_TIMEOUT = 2_000;

/** A server that starts waits this long for a connection to Redis, in milliseconds. */
const REDIS_PATIENCE = 1_000;

/** Calls that may wait for a connection, of each purpose. */
const MAX_WAITING = 256;

/** Following the policy waits this long; a connection that went silent is given up, and made anew. */
const PULL_TIMEOUT = 10_000;

/**
 * Opens the stores that the settings name: the database, migrated and with its root key (done
 * already where it is `prepared`), and where rate limits are counted. Everything opened adds its
 * closer.
 */
export async function openStores(
  config: Config,
  telling: Telling,
  closers: Closer[],
  { prepared = false }: { readonly prepared?: boolean } = {},
): Promise<Stores> {
  const { url, failed } = await locateDatabase(config, telling.log, closers);
  const management = openDatabase(url, telling, closers, {
    max: POOL.management,
    maxWaiting: MAX_WAITING,
  });
  const following = openDatabase(url, telling, closers, {
    max: POOL.following,
    queryTimeout: PULL_TIMEOUT,
  });
  const records = openDatabase(url, telling, closers, {
    max: POOL.records,
    queryTimeout: RECORD_TIMEOUT,
    transactionTimeout: TRANSACTION_TIMEOUT,
    maxWaiting: MAX_WAITING,
  });
  const database = openDatabase(url, telling, closers, {
    max: POOL.decisions,
    queryTimeout: DECISION_TIMEOUT,
    connectTimeout: DECISION_TIMEOUT,
    transactionTimeout: TRANSACTION_TIMEOUT,
    maxWaiting: MAX_WAITING,
    breaker: openBreaker('postgres', telling),
  });
  if (!prepared) await prepareDatabase(management, config);
  const redis = await openRedis(config, telling.log, closers);
  const limiter = await openLimiter(config, { database, redis }, telling, closers);
  return { url, database, records, management, following, redis, limiter, failed };
}

/** A breaker for a store, whose state is a metric, and whose changes are logged. */
function openBreaker(store: StoreName, { log, metrics }: Telling): Breaker {
  const labels = { store };
  metrics.breakerOpen.set(labels, 0);
  return new Breaker({
    onChange(isOpen) {
      metrics.breakerOpen.set(labels, isOpen ? 1 : 0);
      if (isOpen) metrics.breakerOpenings.inc(labels);
      if (isOpen) log.warn(labels, 'a store does not answer: it is asked once a second only');
      else log.info(labels, 'a store answers again');
    },
  });
}

/** Brings the schema up to date and makes the root key the one that the settings give. */
export async function prepareDatabase(
  database: Database,
  { rootKey, dataDir }: Config,
): Promise<void> {
  await migrateUp(database);
  await installRootKey(database, rootKey ?? (await ensureRootKeyFile(dataDir)));
}

/**
 * Where the database is: the one that the settings name, else the embedded one, which is started for
 * so many `servers`. `failed` settles with the reason when that ends by itself; it never rejects.
 */
export async function locateDatabase(
  { databaseUrl, dataDir }: Config,
  log: Logger,
  closers: Closer[],
  servers = 1,
): Promise<{ url: string; failed: Promise<string> }> {
  if (databaseUrl !== undefined) return { url: databaseUrl, failed: new Promise(() => {}) };
  const connections = servers * CONNECTIONS + SPARE_CONNECTIONS;
  const embedded = await startEmbeddedPostgres({ dataDir, log, connections });
  closers.push(() => embedded.stop());
  const failed = embedded.failed.then((how) => `the database ended: ${how}`);
  return { url: embedded.url, failed };
}

function openDatabase(
  url: string,
  { log, metrics }: Telling,
  closers: Closer[],
  options: ConnectionOptions,
): Database {
  const connection = connectDatabase(url, {
    ...options,
    onError: (error) => log.warn({ err: error }, 'a connection to Postgres was lost'),
  });
  closers.push(() => connection.close());
  metrics.watchPool(connection.pool);
  return connection.database;
}

async function openRedis(
  { redisUrl }: Config,
  log: Logger,
  closers: Closer[],
): Promise<RedisClient | undefined> {
  if (redisUrl === undefined) return undefined;
  // A server without Redis starts faster without its client.
  const { connectRedis } = await import('./platform/redis.js');
  const redis = connectRedis(redisUrl, log);
  closers.push(async () => redis.disconnect());
  return redis;
}

/** Redis where there is one; memory while the database is this process's own; else Postgres. */
async function openLimiter(
  { databaseUrl, limitsOnRedisLoss }: Config,
  { database, redis }: { database: Database; redis: RedisClient | undefined },
  telling: Telling,
  closers: Closer[],
): Promise<Limiter> {
  const { clock } = telling;
  if (redis !== undefined) return countInRedis(redis, limitsOnRedisLoss, telling, closers);
  if (databaseUrl === undefined) return createMemoryLimiter({ clock });
  return createPostgresLimiter({ database });
}

/** Counts in Redis, and without it as the settings say; back in Redis as soon as there is a connection. */
async function countInRedis(
  redis: RedisClient,
  onLoss: Config['limitsOnRedisLoss'],
  telling: Telling,
  closers: Closer[],
): Promise<Limiter> {
  const breaker = openBreaker('redis', telling);
  const ready = later<void>();
  redis.on('ready', () => {
    breaker.succeeded();
    ready.resolve();
  });
  const servers = enterRoll(redis, telling.log);
  closers.push(() => servers.leave());
  // So that the first checks are counted with those of others; a server starts without Redis, too.
  if (redis.status !== 'ready') await withinTime(ready.promise, REDIS_PATIENCE, undefined);
  await servers.call();
  return createRedisLossLimiter({
    shared: createRedisLimiter({ redis }),
    local: createMemoryLimiter({ clock: telling.clock }),
    onLoss,
    breaker,
    servers: () => servers.count,
    onUncounted: (how) => telling.metrics.limitsWithoutRedis.inc(how),
  });
}
