import type { PostgresPool, PostgresPoolClient } from 'kysely';
import type pg from 'pg';
import { Unavailable } from '../errors.js';
import type { Breaker } from './breaker.js';
import { isAway } from './store-failure.js';

/** What a pool is guarded by. */
export interface PoolGuard {
  /** Milliseconds that a query may take, with the wait for its connection. */
  readonly queryTimeout?: number;
  /** Calls that may wait for a connection. */
  readonly maxWaiting?: number;
  readonly breaker?: Breaker;
}

/**
 * The least that is left to a query whose connection came late, in milliseconds. One that has less is
 * not begun: it would be given up, and its connection with it, for no fault of Postgres.
 */
const LEAST = 25;

/** What pg's pool says where its connections were all in use for too long. */
const CROWDED = 'timeout exceeded when trying to connect';

/**
 * A pool that keeps nobody waiting for what will not come. It refuses with `Unavailable`, at once,
 * while its breaker is open or too many wait already; and the first query on a connection has only the
 * time that the wait for that has left it.
 */
export function guardPool(pool: pg.Pool, guard: PoolGuard): PostgresPool {
  const { maxWaiting = Number.POSITIVE_INFINITY, queryTimeout, breaker } = guard;
  return {
    async connect() {
      if (pool.waitingCount >= maxWaiting) {
        throw new Unavailable('too many calls wait for Postgres; try again');
      }
      if (breaker?.admits() === false) {
        throw new Unavailable('Postgres does not answer; try again');
      }
      const asked = performance.now();
      const client = await told(pool.connect(), breaker);
      const waited = performance.now() - asked;
      if (queryTimeout !== undefined && waited > queryTimeout - LEAST) {
        client.release();
        throw new Unavailable('too many calls wait for Postgres; try again');
      }
      return lend(client, waited, guard);
    },
    end: () => pool.end(),
  };
}

/** A connection for one query or transaction. */
function lend(
  client: pg.PoolClient,
  waited: number,
  { queryTimeout, breaker }: PoolGuard,
): PostgresPoolClient {
  let left = queryTimeout && Math.ceil(queryTimeout - waited);
  const query = (text: string, values: readonly unknown[]): Promise<unknown> => {
    const timed = { text, values: [...values], ...(left && { query_timeout: left }) };
    left = queryTimeout;
    return told(client.query(timed), breaker);
  };
  return { query, release: () => client.release() } as PostgresPoolClient;
}

/**
 * Tells the breaker what became of a call; an error that Postgres itself answers with is an answer. That
 * all connections are in use says nothing of Postgres: the queries on them will.
 */
async function told<Result>(call: Promise<Result>, breaker: Breaker | undefined): Promise<Result> {
  if (breaker === undefined) return call;
  try {
    const result = await call;
    breaker.succeeded();
    return result;
  } catch (error) {
    if (isCrowded(error)) throw error;
    if (isAway(error)) breaker.failed();
    else breaker.succeeded();
    throw error;
  }
}

function isCrowded(error: unknown): boolean {
  return error instanceof Error && error.message === CROWDED;
}
