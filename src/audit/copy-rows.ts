import pg from 'pg';
import { borrowConnection, type Database } from '../platform/database.js';
import { COLUMNS, type StoredRow } from './audit-row.js';

/** The part of pg's connection that COPY needs; its types leave it out. */
interface CopyConnection {
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
}

const COPY = `COPY audit_events (seq, ${COLUMNS.map(([name]) => `"${name}"`).join(', ')}) FROM STDIN`;

/**
 * Writes rows by COPY, in their order, all or none, in one round trip to Postgres: the cheapest way in,
 * and one that fails where a row is there already. With `relaxed` the commit does not wait for the
 * disk: a crash of Postgres, not one of this process, may cost what came within its last moment.
 */
export async function copyRows(
  database: Database,
  rows: readonly StoredRow[],
  { relaxed }: { readonly relaxed: boolean },
): Promise<void> {
  if (rows.length === 0) return;
  const client = await borrowConnection(database);
  let failure: Error | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      client.query(new RowCopy(rows, relaxed, (error) => (error ? reject(error) : resolve())));
    });
  } catch (error) {
    failure = error instanceof Error ? error : new Error(String(error));
    throw error;
  } finally {
    // A connection on which a copy failed may be in the middle of anything: it goes.
    client.release(failure);
  }
}

/** The rows as COPY reads them (its text format), numbered from `first` on. */
export function copyText(rows: readonly StoredRow[], first: number): string {
  let seq = first;
  let text = '';
  for (const { values, count } of rows) {
    text += seq;
    for (const value of values) text += value === null ? '\t\\N' : `\t${escaped(value)}`;
    text += '\n';
    seq += count;
  }
  return text;
}

/** Both statements make one transaction: a simple query commits as a whole. */
class RowCopy extends pg.Query<{ readonly first: string }> {
  readonly #rows: readonly StoredRow[];
  #first = Number.NaN;

  constructor(
    rows: readonly StoredRow[],
    relaxed: boolean,
    done: (error: Error | null | undefined) => void,
  ) {
    const lasting = relaxed ? ", set_config('synchronous_commit', 'off', true)" : '';
    super(`SELECT nextval('audit_events_seq') AS first${lasting}; ${COPY}`, done);
    this.#rows = rows;
    this.on('row', ({ first }) => {
      this.#first = Number(first);
    });
  }

  /** Called by pg when Postgres is ready to read. */
  handleCopyInResponse(connection: CopyConnection): void {
    connection.sendCopyFromChunk(Buffer.from(copyText(this.#rows, this.#first), 'utf8'));
    connection.endCopyFrom();
  }
}

const SPECIAL = /[\\\t\n\r]/;
const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\t': '\\t',
  '\n': '\\n',
  '\r': '\\r',
};

function escaped(value: string): string {
  if (!SPECIAL.test(value)) return value;
  return value.replace(/[\\\t\n\r]/g, (special) => ESCAPES[special] ?? special);
}
