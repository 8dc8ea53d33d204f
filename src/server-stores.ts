import { sql } from 'kysely';
import type { Limiter } from './governance/limiter.js';
import { createMemoryLimiter } from './governance/memory-limiter.js';
import { createPostgresLimiter } from './governance/postgres-limiter.js';
import { createRedisLimiter } from './governance/redis-limiter.js';
import { createRedisLossLimiter } from './governance/redis-loss-limiter.js';
import { installRootKey } from './identity/install-root-key.js';
import { ensureRootKeyFile } from './identity/root-key.js';
import { Breaker } from './platform/breaker.js';
import { closeAll, type Closer } from './closers.js';
import type { Clock } from './platform/clock.js';
import type { Config } from './platform/config.js';
import { connectDatabase, type ConnectionOptions, type Database } from './platform/database.js';
import { startEmbeddedPostgres } from './platform/embedded-postgres/embedded-postgres.js';
import type { Logger } from './platform/log.js';
import type { Metrics } from './platform/metrics.js';
import { migrateUp } from './platform/migrate.js';
import { withinTime } from './platform/later.js';
import type { RedisClient } from './platform/redis.js';
import { enterRoll, type ServerRoll } from './platform/server-roll.js';

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
  /** For changes and for looking things up: a query not answered within 4 seconds fails. */
  readonly management: Database;
  /**
   * For what may take long: a bundle, a search through the audit. What is done in a transaction has
   * two minutes for each statement, once Postgres has answered within 4 seconds that it begins.
   */
  readonly lengthy: Database;
  /** For following the policy: nobody else's slow query may keep a change from arriving. */
  readonly following: Database;
  readonly redis: RedisClient | undefined;
  /** The servers that share what Redis counts; kept where there is a Redis. */
  readonly roll: ServerRoll | undefined;
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

/** What opening a pool needs: a primary, which shows no metrics of its own, has none. */
type PoolTelling = Pick<Telling, 'log'> & Partial<Pick<Telling, 'metrics'>>;

/** Connections that a server opens to Postgres for each purpose, at most. */
const POOL = {
  decisions: 8,
  records: 3,
  management: 3,
  lengthy: 2,
  following: 2,
  listening: 1,
} as const;

/** Connections that one server opens to Postgres, at most. */
export const CONNECTIONS = Object.values(POOL).reduce((sum, size) => sum + size, 0);

/** Connections of the embedded database beside those of servers: for people, and for Postgres itself. */
const SPARE_CONNECTIONS = 20;

/** A decision waits this long for one answer of Postgres, and for a connection, in milliseconds. */
const DECISION_TIMEOUT = 250;

/** What is written beside decisions waits this long. */
const RECORD_TIMEOUT = 2_000;

/** Changes and look-ups wait this long, for an answer or, at Postgres, for what comes next. */
const MANAGEMENT_TIMEOUT = 4_000;

/** One statement of what may take long: a million rules are written by one. */
const LENGTHY_TIMEOUT = 120_000;

/** How a connection for what takes long behaves. */
export const LENGTHY = {
  firstTimeout: MANAGEMENT_TIMEOUT,
  queryTimeout: LENGTHY_TIMEOUT,
  transactionTimeout: LENGTHY_TIMEOUT,
} as const satisfies ConnectionOptions;

/** One statement of a migration, which may rewrite a large table, or wait for another server's. */
const MIGRATION_TIMEOUT = 600_000;

/** Postgres itself ends a transaction that was given up here after so many milliseconds. */
const TRANSACTION_TIMEOUT = 2_000;

/** A server that starts waits this long for a connection to Redis, in milliseconds. */
const REDIS_PATIENCE = 3_000;

/** Calls that may wait for a connection, of each purpose. */
const MAX_WAITING = 256;

/** Following the policy waits this long; a connection that went silent is given up, and made anew. */
const PULL_TIMEOUT = 10_000;

/** Rules that are read are indexed in turns, between which a busy process may do other things. */
const PULL_PAUSE = 60_000;

/**
 * Opens the stores that the settings name: the database, migrated and with its root key (done
 * already where it is `prepared`), and where rate limits are counted. Everything opened adds its
 * closer.
 */
export async function openStores(
  config: Config,
  telling: Telling,
  closers: Closer[],
  { prepared = false, signal }: { readonly prepared?: boolean; readonly signal?: AbortSignal } = {},
): Promise<Stores> {
  const { url, failed } = await locateDatabase(config, telling.log, closers, { signal });
  if (!prepared) await prepareDatabase(url, config, telling, closers);
  signal?.throwIfAborted();
  const { management, lengthy } = openManagement(url, telling, closers);
  const following = openDatabase(url, telling, closers, {
    max: POOL.following,
    queryTimeout: PULL_TIMEOUT,
    transactionTimeout: PULL_PAUSE,
  });
  const records = openRecords(url, telling, closers);
  const database = openDatabase(url, telling, closers, {
    max: POOL.decisions,
    queryTimeout: DECISION_TIMEOUT,
    connectTimeout: DECISION_TIMEOUT,
    transactionTimeout: TRANSACTION_TIMEOUT,
    maxWaiting: MAX_WAITING,
    breaker: new Breaker({ onChange: tellingOfBreaker('postgres', telling) }),
  });
  const redis = await openRedis(config, telling.log, closers);
  const roll = redis && (await openRoll(management, telling, closers));
  const limiter = await openLimiter(config, { database, redis, roll }, telling);
  return { url, database, records, management, lengthy, following, redis, roll, limiter, failed };
}

/** Makes the state of a store's breaker a metric, and logs its changes. */
function tellingOfBreaker(
  store: 'postgres' | 'redis',
  { log, metrics }: Telling,
): (isOpen: boolean) => void {
  const labels = { store };
  metrics.breakerOpen.set(labels, 0);
  return (isOpen) => {
    metrics.breakerOpen.set(labels, isOpen ? 1 : 0);
    if (isOpen) metrics.breakerOpenings.inc(labels);
    if (isOpen) log.warn(labels, 'a store does not answer in time: it is asked now and then only');
    else log.info(labels, 'a store answers again');
  };
}

/** Opens what changes of the policy go by, and look-ups. */
export function openManagement(
  url: string,
  telling: PoolTelling,
  closers: Closer[],
): Pick<Stores, 'management' | 'lengthy'> {
  const management = openDatabase(url, telling, closers, {
    max: POOL.management,
    queryTimeout: MANAGEMENT_TIMEOUT,
    transactionTimeout: MANAGEMENT_TIMEOUT,
    maxWaiting: MAX_WAITING,
  });
  const lengthy = openDatabase(url, telling, closers, {
    ...LENGTHY,
    max: POOL.lengthy,
    maxWaiting: MAX_WAITING,
  });
  return { management, lengthy };
}

/** Opens what is written beside decisions: the audit, and approvals. */
export function openRecords(url: string, telling: PoolTelling, closers: Closer[]): Database {
  return openDatabase(url, telling, closers, {
    max: POOL.records,
    queryTimeout: RECORD_TIMEOUT,
    transactionTimeout: TRANSACTION_TIMEOUT,
    maxWaiting: MAX_WAITING,
  });
}

/**
 * Brings the schema up to date and makes the root key the one that the settings give, on a connection
 * of its own.
 */
export async function prepareDatabase(
  url: string,
  { rootKey, dataDir }: Config,
  { log }: PoolTelling,
  closers: Closer[],
): Promise<void> {
  const opened: Closer[] = [];
  const database = openDatabase(url, { log }, opened, {
    max: 1,
    queryTimeout: MIGRATION_TIMEOUT,
    transactionTimeout: MIGRATION_TIMEOUT,
  });
  // For whoever gives up while a migration runs.
  closers.push(() => closeAll(opened));
  try {
    const asked = sql`SELECT 1`.execute(database);
    if ((await withinTime(asked, PULL_TIMEOUT, undefined)) === undefined) {
      throw new Error(
        'Postgres takes connections and does not answer; is it reached by `DATABASE_URL`?',
      );
    }
    await migrateUp(database);
    await installRootKey(database, rootKey ?? (await ensureRootKeyFile(dataDir)));
  } finally {
    await closeAll(opened);
  }
}

/** How the embedded database is started. */
interface Locating {
  /** Servers that will use it; 1 unless given. */
  readonly servers?: number;
  /** Gives the start up. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Where the database is: the one that the settings name, else the embedded one, which is started for
 * so many `servers`. `failed` settles with the reason when that ends by itself; it never rejects.
 */
export async function locateDatabase(
  { databaseUrl, dataDir }: Config,
  log: Logger,
  closers: Closer[],
  { servers = 1, signal }: Locating = {},
): Promise<{ url: string; failed: Promise<string> }> {
  if (databaseUrl !== undefined) return { url: databaseUrl, failed: new Promise(() => {}) };
  const connections = servers * CONNECTIONS + SPARE_CONNECTIONS;
  const embedded = await startEmbeddedPostgres({ dataDir, log, connections, signal });
  closers.push(() => embedded.stop());
  const failed = embedded.failed.then((how) => `the database ended: ${how}`);
  return { url: embedded.url, failed };
}

function openDatabase(
  url: string,
  { log, metrics }: PoolTelling,
  closers: Closer[],
  options: ConnectionOptions,
): Database {
  const connection = connectDatabase(url, {
    ...options,
    onError: (error) => log.warn({ err: error }, 'a connection to Postgres was lost'),
  });
  closers.push(() => connection.close());
  metrics?.watchPool(connection.watched);
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

/** Enters the roll before anything is counted: without Redis a server lets its share through. */
async function openRoll(
  database: Database,
  { log, metrics }: Telling,
  closers: Closer[],
): Promise<ServerRoll> {
  const roll = enterRoll({ database, log, counted: (count) => metrics.servers.set(count) });
  closers.push(() => roll.leave());
  await roll.call();
  return roll;
}

/** Redis where there is one; memory while the database is this process's own; else Postgres. */
async function openLimiter(
  { databaseUrl, limitsOnRedisLoss }: Config,
  { database, redis, roll }: Pick<Stores, 'database' | 'redis' | 'roll'>,
  telling: Telling,
): Promise<Limiter> {
  const { clock } = telling;
  if (redis && roll) return countInRedis({ redis, roll }, limitsOnRedisLoss, telling);
  if (databaseUrl === undefined) return createMemoryLimiter({ clock });
  return createPostgresLimiter({ database });
}

/** Counts in Redis, and without it as the settings say; a Redis that is back hears what it missed. */
async function countInRedis(
  { redis, roll }: { redis: RedisClient; roll: ServerRoll },
  onLoss: Config['limitsOnRedisLoss'],
  telling: Telling,
): Promise<Limiter> {
  const { clock, metrics } = telling;
  const { firstConnected, onReturn } = await import('./platform/redis.js');
  const limiter = createRedisLossLimiter({
    openShared: (onRead) => createRedisLimiter({ redis, onRead }),
    onLoss,
    clock,
    standing: () => roll.standing,
    onUncounted: (how) => metrics.limitsWithoutRedis.inc(how),
    onBreaker: tellingOfBreaker('redis', telling),
    // The counters of a tenant are on one node of a cluster.
    ...(redis.isCluster && { partOf: (tenant) => tenant }),
  });
  // So that the first checks are counted with those of others; a server starts without Redis, too.
  await withinTime(firstConnected(redis), REDIS_PATIENCE, undefined);
  onReturn(redis, () => void limiter.returned());
  return limiter;
}
