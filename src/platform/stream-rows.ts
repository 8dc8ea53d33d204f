import { type QueryResult, type RawBuilder, sql } from 'kysely';
import type { DatabaseTransaction } from './database.js';
import type { Turns } from './turns.js';

/** Rows that are fetched at a time: they arrive in one turn of the event loop. */
const FETCHED = 1_000;

/** How long rows are taken at a time, and what ends it. */
export interface Streaming {
  readonly turns: Turns;
  /** Rejects with its reason once it is aborted. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Hands the rows of a SELECT to `take`, in their order, however many they are: in short turns of the
 * event loop, while Postgres gathers what comes next. One at a time in a transaction.
 *
 * @example await streamRows(transaction, sql<Row>`SELECT …`, (row) => seen(row), { turns: takeTurns() });
 */
export async function streamRows<Row>(
  transaction: DatabaseTransaction,
  select: RawBuilder<Row>,
  take: (row: Row) => void,
  { turns, signal }: Streaming,
): Promise<void> {
  await sql`DECLARE streamed_rows NO SCROLL CURSOR FOR ${select}`.execute(transaction);
  const fetch = (): Promise<QueryResult<Row>> => {
    const fetching = sql<Row>`FETCH ${sql.lit(FETCHED)} FROM streamed_rows`.execute(transaction);
    // Awaited only once the rows before are taken: until then its failure is nobody's.
    fetching.catch(() => undefined);
    return fetching;
  };
  let fetching = fetch();
  for (;;) {
    const { rows } = await fetching;
    signal?.throwIfAborted();
    const isLast = rows.length < FETCHED;
    if (!isLast) fetching = fetch();
    for (const row of rows) {
      take(row);
      if (turns.isOver()) await turns.next();
    }
    if (isLast) break;
  }
  await sql`CLOSE streamed_rows`.execute(transaction);
}
