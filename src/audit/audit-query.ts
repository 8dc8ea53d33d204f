import { sql } from 'kysely';
import { InvalidRequest, Unavailable } from '../errors.js';
import type { Database, DatabaseTransaction } from '../platform/database.js';
import { plainJsonFaults } from '../platform/json.js';
import type { AuditFilter } from './audit-filter.js';
import { type EventRow, itemsOf, rowsBefore } from './find-rows.js';
import { type AuditItem, eventOf, eventsOfBatch } from './row-events.js';

export type { AuditFilter } from './audit-filter.js';

/** A page of events, newest first; `next` is null at the end. */
export interface AuditPage {
  readonly items: readonly AuditItem[];
  readonly next: string | null;
}

const MAX_LIMIT = 200;
const USUAL_LIMIT = 50;
const EXACT = ['tenant', 'kind', 'subject', 'actor', 'action', 'decision'] as const;

/** Milliseconds that looking for a page may take. */
const PATIENCE = 10_000;

/** How long a look-up may take. */
export interface LookUpBounds {
  /** Milliseconds; 10,000 unless given. */
  readonly patience?: number;
}

/**
 * The events that a filter lets through, newest first. Throws `InvalidRequest` for an `after` that
 * no page gave, a `limit` out of bounds, or text that no event can hold; `Unavailable` where looking
 * for them takes too long.
 */
export async function findEvents(
  database: Database,
  filter: AuditFilter,
  { patience = PATIENCE }: LookUpBounds = {},
): Promise<AuditPage> {
  const limit = filter.limit ?? USUAL_LIMIT;
  refuseFaults({ ...filter, limit });
  const found = await inTime(patience, (tooLate) =>
    database
      .transaction()
      .setAccessMode('read only')
      .execute(async (transaction) => {
        await boundLookUp(transaction, patience);
        return collect(transaction, filter, { wanted: limit + 1, tooLate });
      }),
  );
  const items = found.slice(0, limit);
  const last = items.at(-1);
  return {
    items,
    next: found.length > limit && last !== undefined ? String(last.seq) : null,
  };
}

/**
 * For the transaction alone: no statement takes longer, none takes more than one processor, and the
 * indexes are used. Postgres thinks of a BRIN for values that lie anywhere that it spares no page.
 */
async function boundLookUp(transaction: DatabaseTransaction, patience: number): Promise<void> {
  await sql`
    SELECT set_config('statement_timeout', ${String(patience)}, true),
      set_config('max_parallel_workers_per_gather', '0', true),
      set_config('enable_seqscan', 'off', true)`.execute(transaction);
}

/** What collecting goes by. */
interface Collecting {
  readonly wanted: number;
  /** Throws once the time is over. */
  readonly tooLate: () => void;
}

/** Reads rows until there are as many events as wanted: rows of a batch hold many, or none that match. */
async function collect(
  transaction: DatabaseTransaction,
  filter: AuditFilter,
  { wanted, tooLate }: Collecting,
): Promise<AuditItem[]> {
  const found: AuditItem[] = [];
  let before = filter.after;
  for (;;) {
    tooLate();
    const count = wanted - found.length;
    const rows = await rowsBefore(transaction, filter, { before, count });
    for (const row of rows) {
      if (found.length >= wanted) return found;
      found.push(...(await matchesIn(transaction, row, filter)).slice(0, wanted - found.length));
    }
    if (rows.length < count || found.length >= wanted) return found;
    before = rows.at(-1)?.seq;
  }
}

/** The events of a row that the filter lets through, newest first. */
async function matchesIn(
  transaction: DatabaseTransaction,
  row: EventRow,
  filter: AuditFilter,
): Promise<AuditItem[]> {
  // A row of one event was found by all of the filter.
  if (!row.batch) return [eventOf(row)];
  const events = eventsOfBatch(row, await itemsOf(transaction, row));
  return events.filter((item) => matches(item, filter)).reverse();
}

function matches(item: AuditItem, filter: AuditFilter): boolean {
  const at = Date.parse(item.at);
  return (
    EXACT.every((member) => filter[member] === undefined || item[member] === filter[member]) &&
    (filter.from === undefined || at >= filter.from.getTime()) &&
    (filter.to === undefined || at < filter.to.getTime()) &&
    (filter.after === undefined || item.seq < Number(filter.after))
  );
}

async function inTime<Result>(
  patience: number,
  look: (tooLate: () => void) => Promise<Result>,
): Promise<Result> {
  const end = performance.now() + patience;
  const tooSlow = (cause?: unknown) =>
    new Unavailable(
      'looking for these events took too long; narrow it by `tenant`, `subject`, `from` or `to`',
      { cause },
    );
  try {
    return await look(() => {
      if (performance.now() > end) throw tooSlow();
    });
  } catch (error) {
    // What Postgres says of a statement that took longer than it may.
    if (error instanceof Error && Reflect.get(error, 'code') === '57014') throw tooSlow(error);
    throw error;
  }
}

function refuseFaults({ after, limit, ...filter }: AuditFilter & { readonly limit: number }): void {
  const errors = plainJsonFaults(Object.fromEntries(EXACT.map((name) => [name, filter[name]])));
  if (after !== undefined && !/^\d{1,18}$/.test(after)) {
    errors.push({ path: '/after', message: 'must be the `next` of the page before' });
  }
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT) {
    errors.push({ path: '/limit', message: `must be a whole number from 1 to ${MAX_LIMIT}` });
  }
  if (errors.length > 0) throw new InvalidRequest('the query is not valid', errors);
}
