import { COLUMNS, type StoredRow } from './audit-row.js';

const PLACES = new Map<string, number>(COLUMNS.map(([name], place) => [name, place]));

/** What stays of an event that Postgres refuses: that there was one, when, and whose. */
const BARE = new Set<string>(['id', 'at', 'tenant', 'kind', 'actor']);

/** The rows that hold the events of one row each for itself. */
export function rowsApart(row: StoredRow): StoredRow[] {
  const items = row.values[PLACES.get('items') ?? -1];
  if (typeof items !== 'string') return [row];
  const shared = replaced(row.values, (name) => name === 'items' || name === 'keys', null);
  return (JSON.parse(items) as readonly Readonly<Record<string, unknown>>[]).map((item) => ({
    count: 1,
    values: shared.map((value, place) => textOf(item, place) ?? value),
  }));
}

/** A row of one event in the place of one that Postgres refused: that there was one, and why. */
export function bareRow({ values }: StoredRow, refusal: string): StoredRow {
  const kept = replaced(values, (name) => !BARE.has(name), null);
  const detail = JSON.stringify({ unstorable: refusal });
  return { count: 1, values: replaced(kept, (name) => name === 'detail', detail) };
}

function replaced(
  values: StoredRow['values'],
  which: (name: string) => boolean,
  value: string | null,
): (string | null)[] {
  return COLUMNS.map(([name], place) => (which(name) ? value : (values[place] ?? null)));
}

function textOf(item: Readonly<Record<string, unknown>>, place: number): string | undefined {
  const [name, type] = COLUMNS[place] ?? ['', 'text'];
  const value = Object.hasOwn(item, name) ? item[name] : undefined;
  if (value === undefined) return undefined;
  return typeof value === 'string' && type !== 'json' ? value : JSON.stringify(value);
}
