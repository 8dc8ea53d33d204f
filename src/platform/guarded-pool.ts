import type { PostgresPool, PostgresPoolClient } from 'kysely';
import type pg from 'pg';
import { Unavailable } from '../errors.js';
import type { Breaker } from './breaker.js';
import { Patience } from './later.js';
import type { TimedQuery } from './patient-client.js';
import { Slots } from './slots.js';
import { isAway } from './store-failure.js';

/** What a pool is guarded by. */
export interface PoolGuard {
  /** Milliseconds to wait for a connection. */
  readonly connectTimeout: number;
  /** Milliseconds that a query may take, with the wait for its connection. */
  readonly queryTimeout?: number;
  /**
   * Milliseconds for the first query on a connection that was borrowed, with the wait for that;
   * `queryTimeout` unless given. What takes long is done in a transaction, whose beginning is such a
   * query: where Postgres is silent that shows soon, however long what follows may take.
   */
  readonly firstTimeout?: number;
  /** Calls that may wait for a connection. */
  readonly maxWaiting?: number;
  readonly breaker?: Breaker;
}

/**
 * The least that is left to a query whose connection came late, in milliseconds. One that has less is
 * not begun: it would be given up, and its connection with it, for no fault of Postgres.
 */
const LEAST = 25;

/** What is said where connections were all in use for too long, in the words of pg's own pool. */
const CROWDED = 'timeout exceeded when trying to connect';

/** What is told where the answer to a commit was lost. */
const UNCONFIRMED =
  'Postgres did not confirm what it was told to keep: it may be kept all the same. Look whether it is before you do it again';

/** A pool whose connections are handed out in the order in which they are asked for. */
export interface GuardedPool extends PostgresPool {
  /** Calls that wait for a connection. */
  readonly waitingCount: number;
  /** A connection as it is, for what Kysely has no words for; whatever the breaker says. */
  borrow(): Promise<pg.PoolClient>;
}

/**
 * A pool that keeps nobody waiting for what will not come. It refuses with `Unavailable`, at once,
 * while its breaker is open or too many wait already; and the first query on a connection has only the
 * time that the wait for that has left it. Where the answer to a commit is lost, what is thrown says
 * that it may have happened.
 *
 * @param pool of `PatientClient`s, without a time-out of its own
 */
export function guardPool(pool: pg.Pool, guard: PoolGuard): GuardedPool {
  const { connectTimeout, maxWaiting = Number.POSITIVE_INFINITY, breaker } = guard;
  const firstTimeout = guard.firstTimeout ?? guard.queryTimeout;
  const slots = new Slots(pool.options.max);
  return {
    get waitingCount() {
      return slots.waiting;
    },
    async connect() {
      if (slots.waiting >= maxWaiting) {
        throw new Unavailable('too many calls wait for Postgres; try again');
      }
      if (breaker?.admits() === false) {
        throw new Unavailable('Postgres does not answer; try again');
      }
      const patience = new Patience(connectTimeout);
      const client = await told(borrow(pool, slots, patience), breaker);
      const left = firstTimeout && Math.ceil(firstTimeout - patience.spent);
      if (left !== undefined && left < LEAST) {
        client.release();
        throw new Unavailable('too many calls wait for Postgres; try again');
      }
      return lend(client, left, guard);
    },
    borrow: () => borrow(pool, slots, new Patience(connectTimeout)),
    end: () => pool.end(),
  };
}

async function borrow(pool: pg.Pool, slots: Slots, patience: Patience): Promise<pg.PoolClient> {
  if (!(await slots.take(patience))) throw new Error(CROWDED);
  if (patience.left < LEAST) {
    slots.give();
    throw new Error(CROWDED);
  }
  const connecting = connectIn(pool, slots);
  const client = await patience.waitFor(connecting, undefined);
  if (client !== undefined) return client;
  // It is for whoever comes next, should it still come.
  connecting.then(
    (late) => late.release(),
    () => undefined,
  );
  throw new Error(CROWDED);
}

/** A connection that gives the slot back with itself. */
async function connectIn(pool: pg.Pool, slots: Slots): Promise<pg.PoolClient> {
  try {
    const client = await pool.connect();
    const release = client.release.bind(client);
    client.release = (error) => {
      release(error);
      slots.give();
    };
    return client;
  } catch (error) {
    slots.give();
    throw error;
  }
}

/** A connection for one query or transaction, the first query of which has `left` milliseconds. */
function lend(
  client: pg.PoolClient,
  left: number | undefined,
  { queryTimeout, breaker }: PoolGuard,
): PostgresPoolClient {
  let timeout = left;
  let isReadOnly = false;
  let failure: unknown;
  const query = async (text: string, values: readonly unknown[]): Promise<unknown> => {
    const timed: TimedQuery = { text, values: [...values], timeout };
    timeout = queryTimeout;
    if (text.startsWith('start transaction')) isReadOnly = text.includes('read only');
    try {
      return await told(client.query(timed), breaker);
    } catch (error) {
      // With its connection a transaction is gone: why that went says more than that there is none.
      if (text === 'rollback' && failure !== undefined) throw failure;
      failure =
        text === 'commit' && !isReadOnly && isAway(error)
          ? new Unavailable(UNCONFIRMED, { cause: error })
          : error;
      throw failure;
    }
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
