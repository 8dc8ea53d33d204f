import type { StoredRow } from './audit-row.js';
import { bareRow, rowsApart } from './rows-apart.js';

/** How rows are sent. */
export interface Sending {
  /** They were sent before, and some may be there. */
  readonly again: boolean;
  /** They are on the disk of Postgres afterwards, in any mode. */
  readonly lasting?: boolean;
}

/** Commits rows, in their order, all or none. */
export type SendRows = (rows: readonly StoredRow[], how: Sending) => Promise<void>;

/** What sending rows goes through. */
export interface SendRowsOptions {
  readonly send: SendRows;
  readonly log: { error(members: object, message: string): void };
  /** Told of the rows of single events that are sent in place of those given. */
  onApart?(rows: readonly StoredRow[]): void;
}

/**
 * Sends rows, each event for itself where Postgres refuses them together: what one holds keeps no
 * other from its place. Rejects where Postgres is away.
 */
export async function sendWhatCanBe(
  rows: readonly StoredRow[],
  how: Sending,
  options: SendRowsOptions,
): Promise<void> {
  try {
    await options.send(rows, how);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    // Refused for what is there already, as it may be, or for what the rows hold.
    if (!how.again) return sendWhatCanBe(rows, { ...how, again: true }, options);
    const apart = rows.flatMap(rowsApart);
    options.onApart?.(apart);
    for (const row of apart) await sendOne(row, { ...how, again: true }, options);
  }
}

/** Sends one event; one that Postgres refuses for what it holds is told in a bare row. */
async function sendOne(
  row: StoredRow,
  how: Sending,
  { send, log }: SendRowsOptions,
): Promise<void> {
  try {
    await send([row], how);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    log.error({ err: error }, 'an audit event holds what Postgres refuses');
    await send([bareRow(row, String(error))], how);
  }
}

/** Whether Postgres refused the data itself (SQLSTATE classes 22, 23 and 54): sending it again is vain. */
function isRefusal(error: unknown): boolean {
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined;
  return typeof code === 'string' && /^(?:22|23|54)[0-9A-Z]{3}$/.test(code);
}
