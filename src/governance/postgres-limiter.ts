import { sql } from 'kysely';
import type { Clock } from '../platform/clock.js';
import type { Database } from '../platform/database.js';
import {
  type Demand,
  type Limiter,
  NOTHING_TAKEN,
  type Receipt,
  storedName,
  type Taken,
} from './limiter.js';
import { answerOf, inOrder, type Uses } from './sliding-window.js';

/** What `take_limits` (migration 0005) answers. */
interface Found {
  readonly now: number;
  /** For each demand, in order; its sub-buckets are in none. */
  readonly uses: readonly (readonly (readonly [bucket: number, used: number])[])[];
}

/** Counts in an unlogged table: one statement for a check, exact however many servers ask. */
class PostgresLimiter implements Limiter {
  readonly #database: Database;
  readonly #clock: Clock | undefined;

  constructor(database: Database, clock: Clock | undefined) {
    this.#database = database;
    this.#clock = clock;
  }

  async take(demands: readonly Demand[]): Promise<Taken> {
    return this.#ask(demands, true);
  }

  async peek(demands: readonly Demand[]): Promise<Taken> {
    return this.#ask(demands, false);
  }

  async giveBack(receipt: Receipt): Promise<void> {
    if (receipt.length === 0) return;
    // Locked in one order, so that no two of these wait for each other.
    await sql`
      WITH mine AS (
        SELECT c.counter, c.bucket
          FROM limit_counters AS c
          JOIN unnest(
            ${receipt.map(({ counter }) => storedName(counter))}::text[],
            ${receipt.map(({ bucket }) => bucket)}::bigint[]
          ) AS r (counter, bucket) ON c.counter = r.counter AND c.bucket = r.bucket
         ORDER BY c.counter, c.bucket
           FOR UPDATE OF c
      )
      UPDATE limit_counters AS c SET used = c.used - 1
        FROM mine
       WHERE c.counter = mine.counter AND c.bucket = mine.bucket AND c.used > 0
    `.execute(this.#database);
  }

  async #ask(demands: readonly Demand[], spend: boolean): Promise<Taken> {
    if (demands.length === 0) return NOTHING_TAKEN;
    const { rows } = await sql<{ found: Found }>`
      SELECT take_limits(
        ${spend},
        ${this.#clock?.now() ?? null}::bigint,
        ${demands.map(({ counter }) => storedName(counter))}::text[],
        ${demands.map(({ periodMs }) => periodMs)}::bigint[],
        ${demands.map(({ count }) => count)}::bigint[]
      ) AS found`.execute(this.#database);
    const found = rows[0]?.found;
    if (found === undefined) throw new TypeError('`take_limits` answers with one row');
    const readings = demands.map((demand, index) => ({
      demand,
      uses: usesIn(found.uses[index] ?? []),
    }));
    return answerOf(readings, found.now, spend);
  }
}

function usesIn(rows: readonly (readonly [bucket: number, used: number])[]): Uses {
  return inOrder(rows.map(([bucket, used]) => ({ bucket, used })));
}

/** A limiter whose counters are shared by all servers of a database. Its clock unless one is given. */
export function createPostgresLimiter(options: {
  readonly database: Database;
  readonly clock?: Clock;
}): Limiter {
  return new PostgresLimiter(options.database, options.clock);
}
