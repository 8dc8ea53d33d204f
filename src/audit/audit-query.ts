import { InvalidRequest } from '../errors.js';
import type { Database } from '../platform/database.js';
import { plainJsonFaults } from '../platform/json.js';
import type { AuditRow, AuditTables } from './event-store.js';

/** Which events to find; what is left out does not narrow. */
export interface AuditFilter {
  /** Callers that are bound to a tenant must give theirs. */
  readonly tenant?: string;
  readonly kind?: string;
  readonly subject?: string;
  readonly actor?: string;
  readonly action?: string;
  readonly decision?: string;
  /** Events at or after this. */
  readonly from?: Date;
  /** Events before this. */
  readonly to?: Date;
  /** The `next` of the page before. */
  readonly after?: string;
  /** 1 to 200; 50 unless given. */
  readonly limit?: number;
}

/** An event as the API shows it: named as the columns, without those that are empty; `at` in ISO 8601. */
export type AuditItem = {
  readonly id: string;
  readonly seq: number;
  readonly at: string;
} & Readonly<Record<string, unknown>>;

/** A page of events, newest first; `next` is null at the end. */
export interface AuditPage {
  readonly items: readonly AuditItem[];
  readonly next: string | null;
}

const MAX_LIMIT = 200;
const USUAL_LIMIT = 50;
const EXACT = ['tenant', 'kind', 'subject', 'actor', 'action', 'decision'] as const;

/**
 * The events that a filter lets through, newest first. Throws `InvalidRequest` for an `after` that
 * no page gave, a `limit` out of bounds, or text that no event can hold.
 */
export async function findEvents(database: Database, filter: AuditFilter): Promise<AuditPage> {
  const limit = filter.limit ?? USUAL_LIMIT;
  refuseFaults({ ...filter, limit });
  let query = database
    .withTables<AuditTables>()
    .selectFrom('audit_events')
    .selectAll()
    .orderBy('seq', 'desc')
    .limit(limit + 1);
  for (const member of EXACT) {
    const value = filter[member];
    if (value !== undefined) query = query.where(member, '=', value);
  }
  if (filter.from !== undefined) query = query.where('at', '>=', filter.from);
  if (filter.to !== undefined) query = query.where('at', '<', filter.to);
  if (filter.after !== undefined) query = query.where('seq', '<', filter.after);
  const rows = await query.execute();
  const page = rows.slice(0, limit);
  return {
    items: page.map(itemOf),
    next: rows.length > limit ? (page.at(-1)?.seq ?? null) : null,
  };
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

function itemOf(row: AuditRow): AuditItem {
  const { id, seq, at, revision, ...rest } = row;
  const given = Object.entries(rest).filter(([, value]) => value !== null);
  return {
    id,
    seq: Number(seq),
    at: at.toISOString(),
    ...Object.fromEntries(given),
    ...(revision === null ? {} : { revision: Number(revision) }),
  };
}
