import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { CHANGES_CHANNEL } from './change-log.js';
import { type ChangeListener, keepListening, type StopListening } from './keep-listening.js';
import { PatientClient } from './patient-client.js';
import { SERVERS_CHANNEL } from './server-roll.js';

/** Milliseconds in which a connection must be made, and answer. */
const PATIENCE = 2_000;
/** Milliseconds after which the other side is asked whether it is there. */
const SILENCE = 5_000;
/** Milliseconds that the end of a connection is waited for. */
const FAREWELL = 500;

/** Who wants to know of changes from Postgres. */
export interface PostgresListener extends ChangeListener {
  /** The database, as for `connectDatabase`. */
  readonly url: string;
  /** Milliseconds after which Postgres is asked whether it is there; 5,000 unless given. */
  readonly silence?: number;
  /** Told when there is one more server. */
  onServer?(): void;
}

/**
 * Listens for changes of any server on the same database, on a connection of its own. Postgres tells
 * the revision of every change as it commits. A hint, no more: whoever is told reads the change log.
 * Resolves once it listens, or has failed for the first time; it tries again for ever.
 */
export function listenForChanges(listener: PostgresListener): Promise<StopListening> {
  return keepListening(
    'postgres',
    (stopping, opened) => listenUntilLost(listener, stopping, opened),
    listener,
  );
}

async function listenUntilLost(
  { url, silence = SILENCE, onMessage, onServer }: PostgresListener,
  stopping: AbortSignal,
  opened: () => void,
): Promise<void> {
  const client = new PatientClient({
    connectionString: url,
    application_name: 'countersign changes',
    connectTimeout: PATIENCE,
    queryTimeout: PATIENCE,
  });
  const over = new AbortController();
  let stop = (): void => {};
  const lost = new Promise<void>((resolve, reject) => {
    client.on('error', reject);
    client.on('end', () => reject(new Error('the connection ended')));
    stop = resolve;
  });
  stopping.addEventListener('abort', stop, { once: true });
  // Until it is awaited below, its end is told by what fails before.
  lost.catch(() => undefined);
  client.on('notification', ({ channel, payload = '' }) => {
    if (channel === SERVERS_CHANNEL) onServer?.();
    else onMessage(payload);
  });
  try {
    await client.connect();
    await client.query(`LISTEN ${CHANGES_CHANNEL}`);
    if (onServer !== undefined) await client.query(`LISTEN ${SERVERS_CHANNEL}`);
    opened();
    await Promise.race([lost, askWhetherThere(client, silence, over.signal)]);
  } finally {
    over.abort();
    stopping.removeEventListener('abort', stop);
    // A peer that went silent never says goodbye; whoever stops does not wait for it.
    await Promise.race([
      client.end().catch(() => undefined),
      delay(FAREWELL, undefined, { ref: false }),
    ]);
  }
}

/**
 * Asks again and again, and rejects where that is not answered: a peer that went silent shows it by
 * nothing else.
 */
async function askWhetherThere(
  client: pg.Client,
  silence: number,
  signal: AbortSignal,
): Promise<never> {
  for (;;) {
    await delay(silence, undefined, { signal, ref: false });
    await client.query('SELECT 1');
  }
}
