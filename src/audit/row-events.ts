import type { JsonObject } from '../vocabulary.js';
import { checkOf } from './compact-check.js';
import type { BatchItem, EventRow } from './find-rows.js';

/** An event as the API shows it: named as the columns, without those that are empty; `at` in ISO 8601. */
export type AuditItem = {
  readonly id: string;
  readonly seq: number;
  readonly at: string;
} & Readonly<Record<string, unknown>>;

/** The event of a row that holds one. */
export function eventOf({ seq, at, batch: _, ...columns }: EventRow): AuditItem {
  return itemOf({ ...columns, at: at.toISOString() }, Number(seq));
}

/** The events of a row that holds those of one batch of checks, given its items; in their order. */
export function eventsOfBatch(row: EventRow, items: readonly BatchItem[]): AuditItem[] {
  const { seq, at, batch: _, ...shared } = row;
  const first = Number(seq);
  return items.map((item, place) =>
    itemOf({ ...shared, at: at.toISOString(), ...item }, first + place),
  );
}

type Columns = Omit<EventRow, 'seq' | 'at' | 'batch'> & { readonly at: string };

function itemOf(columns: Columns, seq: number): AuditItem {
  const { id, at, revision, asked, detail, ...rest } = columns;
  const given = Object.entries(rest).filter(([, value]) => value !== null);
  return {
    id,
    seq,
    at,
    ...Object.fromEntries(given),
    ...(revision === null ? {} : { revision: Number(revision) }),
    ...detailOf(columns, asked, detail),
  };
}

function detailOf(
  columns: Columns,
  asked: JsonObject | null,
  detail: JsonObject | null,
): { readonly detail?: JsonObject } {
  if (asked !== null) return { detail: { check: checkOf(asked, columns), ...detail } };
  return detail === null ? {} : { detail };
}
