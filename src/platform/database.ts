import { Kysely, PostgresDialect, type Transaction } from 'kysely';
import pg from 'pg';
import type { Breaker } from './breaker.js';
import { type GuardedPool, guardPool } from './guarded-pool.js';
import type { WatchedPool } from './metrics.js';
import { breakOff, PatientClient, type PatientOptions } from './patient-client.js';

/**
 * A connection to Postgres without tables: each folder that keeps something in the database declares
 * its own tables beside its store and narrows this with `database.withTables<Its>()`.
 */
// oxlint-disable-next-line typescript/no-empty-object-type
export type Database = Kysely<{}>;

/** A transaction on the same terms as `Database`. */
// oxlint-disable-next-line typescript/no-empty-object-type
export type DatabaseTransaction = Transaction<{}>;

/** How a pool behaves. */
export interface ConnectionOptions {
  /** Connections at most; 10 unless given. */
  readonly max?: number;
  /** Milliseconds to wait for a free connection; 2,000 unless given. */
  readonly connectTimeout?: number;
  /**
   * Milliseconds that one query may take, seen from here; no bound unless given. A connection that
   * owes an answer for longer is closed: what comes after would only queue behind it.
   */
  readonly queryTimeout?: number;
  /** Milliseconds for the first query of each use of a connection; see `PoolGuard`. */
  readonly firstTimeout?: number;
  /**
   * Milliseconds after which Postgres itself ends a transaction that nobody goes on with, and so gives
   * back what it had locked; no bound unless given. Where it is, Postgres ends a query of its own
   * accord after `queryTimeout`, too.
   */
  readonly transactionTimeout?: number;
  /** Calls that may wait for a connection; the next is refused at once. No bound unless given. */
  readonly maxWaiting?: number;
  /** Asked before a connection is, and told how each query went. */
  readonly breaker?: Breaker;
  /** Told of every error on an idle connection: Postgres restarts must not end the process. */
  readonly onError?: (error: Error) => void;
}

/** A pool and the typed door to it. */
export interface Connection {
  readonly database: Database;
  readonly pool: pg.Pool;
  /** What is to be seen of it. */
  readonly watched: WatchedPool;
  /** Ends every connection; a query under way has a second more. */
  close(): Promise<void>;
}

/** Milliseconds that a connection in use has to come back once all are closed. */
const FAREWELL = 1_000;

const pools = new WeakMap<Database, GuardedPool>();

/**
 * A connection of the pool behind a database that `connectDatabase` opened, for what Kysely has no words
 * for: COPY. Whoever has it releases it.
 */
export async function borrowConnection(database: Database): Promise<pg.PoolClient> {
  const pool = pools.get(database);
  if (pool === undefined) throw new TypeError('this database was not opened by `connectDatabase`');
  return pool.borrow();
}

/** Opens a pool on `url` (`postgresql://…`). Connects lazily: a wrong address shows at first use. */
export function connectDatabase(url: string, options: ConnectionOptions = {}): Connection {
  const { max = 10, connectTimeout = 2_000, queryTimeout } = options;
  const patient: PatientOptions = { connectTimeout, queryTimeout };
  const pool = new pg.Pool({
    ...patient,
    Client: PatientClient,
    connectionString: url,
    max,
    application_name: 'countersign',
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  });
  let closing = false;
  const report = (error: Error): void => {
    // A connection that ends while we take leave is no news.
    if (!closing) options.onError?.(error);
  };
  pool.on('error', report);
  // A client that is checked out has no listener of the pool's: a killed backend would end the process.
  const clients = new Set<pg.PoolClient>();
  pool.on('remove', (client) => clients.delete(client));
  pool.on('connect', (client) => {
    clients.add(client);
    client.on('error', report);
    if (options.transactionTimeout !== undefined) boundAtPostgres(client, options);
  });
  const guarded = guardPool(pool, { ...options, connectTimeout });
  const database: Database = new Kysely({ dialect: new PostgresDialect({ pool: guarded }) });
  pools.set(database, guarded);
  const watched: WatchedPool = {
    get totalCount() {
      return pool.totalCount;
    },
    get idleCount() {
      return pool.idleCount;
    },
    get waitingCount() {
      return guarded.waitingCount;
    },
  };
  const close = async (): Promise<void> => {
    closing = true;
    const giveUp = setTimeout(() => clients.forEach(breakOff), FAREWELL);
    await database.destroy();
    clearTimeout(giveUp);
  };
  return { database, pool, watched, close };
}

/**
 * What is given up here must not go on there: a connection that went silent looks open to Postgres for
 * long, and would keep its locks. Sent before the first query, and not waited for.
 */
function boundAtPostgres(
  client: pg.PoolClient,
  { transactionTimeout = 0, queryTimeout = 0 }: ConnectionOptions,
): void {
  const bounds = `SET idle_in_transaction_session_timeout = ${transactionTimeout};
    SET statement_timeout = ${queryTimeout}`;
  // Where it fails the connection does, and the query that follows tells of that.
  client.query(bounds).catch(() => undefined);
}
