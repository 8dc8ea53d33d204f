import { quoted } from '../platform/write-rules.js';
import { bareColumns, columnsOf, type EventColumns } from './event-columns.js';
import type { RecordedEvent } from './event.js';
import { searchKey } from './search-key.js';

/** A row of `audit_events` on its way to Postgres: one event, or those of one batch of checks. */
export interface StoredRow {
  /** How many events it holds; it takes as many numbers. */
  readonly count: number;
  /** The texts of its columns, in the order of `COLUMNS`. */
  readonly values: readonly (string | null)[];
}

/** The columns of a row that its writer gives, with their types; `seq` is given when it is sent. */
export const COLUMNS = [
  ['id', 'text'],
  ['at', 'timestamptz'],
  ['tenant', 'text'],
  ['kind', 'text'],
  ['actor', 'text'],
  ['subject', 'text'],
  ['action', 'text'],
  ['resource', 'text'],
  ['decision', 'text'],
  ['reason', 'text'],
  ['rules', 'json'],
  ['revision', 'bigint'],
  ['bundle', 'integer'],
  ['commit', 'text'],
  ['request_id', 'text'],
  ['approval_id', 'text'],
  ['ip', 'text'],
  ['asked', 'json'],
  ['detail', 'json'],
  ['keys', 'integer[]'],
  ['items', 'json'],
] as const;

/** Events in one row at most: reading one of them reads them all. */
const MAX_ITEMS = 100;

/** Milliseconds that the first and the last event of a row may lie apart. */
export const MAX_SPAN = 60_000;

/** How many of the events from `start` on stand in one row: those that one batch of checks decided. */
export function runLength(events: readonly RecordedEvent[], start: number): number {
  const first = events[start];
  if (first === undefined || !mayShareRow(first)) return 1;
  let length = 1;
  for (; length < MAX_ITEMS; length += 1) {
    const next = events[start + length];
    if (next === undefined || !sharesRow(first, next)) break;
  }
  return length;
}

/** A row of one event. One that cannot be put in words is told of in a bare row. */
export function rowOf(recorded: RecordedEvent): StoredRow {
  return { count: 1, values: valuesOf(safeColumns(recorded), null, null) };
}

/** A row of the events of one batch. */
export function batchRow(events: readonly RecordedEvent[]): StoredRow {
  const columns = events.map(safeColumns);
  const [first] = columns;
  if (first === undefined) throw new RangeError('a row holds one event or more');
  const items = `[${columns.map((item) => itemText(item, first.at)).join(',')}]`;
  const shared = { ...first, ...NOT_SHARED };
  return { count: events.length, values: valuesOf(shared, keysOf(columns), items) };
}

/** What each event of a batch has for itself: in the row's own columns there is nothing. */
const NOT_SHARED = {
  subject: null,
  action: null,
  resource: null,
  decision: null,
  reason: null,
  rules: null,
  approval_id: null,
  asked: null,
  detail: null,
};

function mayShareRow({ event }: RecordedEvent): boolean {
  return event.kind === 'decision' && event.requestId !== undefined;
}

function sharesRow(first: RecordedEvent, next: RecordedEvent): boolean {
  const [a, b] = [first.event, next.event];
  return (
    a.requestId === b.requestId &&
    a.actor === b.actor &&
    a.tenant === b.tenant &&
    a.kind === b.kind &&
    a.revision === b.revision &&
    a.bundle === b.bundle &&
    a.commit === b.commit &&
    a.ip === b.ip &&
    next.at >= first.at &&
    next.at - first.at < MAX_SPAN
  );
}

function safeColumns(recorded: RecordedEvent): EventColumns {
  try {
    return columnsOf(recorded);
  } catch (error) {
    return bareColumns(recorded, recorded.event.id, String(error));
  }
}

function valuesOf(
  columns: EventColumns,
  keys: string | null,
  items: string | null,
): (string | null)[] {
  return [
    columns.id,
    columns.at,
    columns.tenant,
    columns.kind,
    columns.actor,
    columns.subject,
    columns.action,
    columns.resource,
    columns.decision,
    columns.reason,
    columns.rules,
    columns.revision === null ? null : String(columns.revision),
    columns.bundle === null ? null : String(columns.bundle),
    columns.commit,
    columns.request_id,
    columns.approval_id,
    columns.ip,
    columns.asked,
    columns.detail,
    keys,
    items,
  ];
}

/** An event of a batch as JSON, its members named as the columns. */
function itemText(item: EventColumns, rowAt: string): string {
  const { subject, action, resource, decision, reason, rules, approval_id, asked, detail } = item;
  let text = `{"id":${quoted(item.id)}`;
  if (item.at !== rowAt) text += `,"at":"${item.at}"`;
  if (subject !== null) text += `,"subject":${quoted(subject)}`;
  if (action !== null) text += `,"action":${quoted(action)}`;
  if (resource !== null) text += `,"resource":${quoted(resource)}`;
  if (decision !== null) text += `,"decision":"${decision}"`;
  if (reason !== null) text += `,"reason":"${reason}"`;
  if (rules !== null) text += `,"rules":${rules}`;
  if (approval_id !== null) text += `,"approval_id":${quoted(approval_id)}`;
  if (asked !== null) text += `,"asked":${asked}`;
  if (detail !== null) text += `,"detail":${detail}`;
  return `${text}}`;
}

/** What may be searched for in the items, as a Postgres array; each once. */
function keysOf(items: readonly EventColumns[]): string {
  const keys = new Set<number>();
  for (const { subject, action, decision } of items) {
    if (subject !== null) keys.add(searchKey('subject', subject));
    if (action !== null) keys.add(searchKey('action', action));
    if (decision !== null) keys.add(searchKey('decision', decision));
  }
  return `{${[...keys].join(',')}}`;
}
