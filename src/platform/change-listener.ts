import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { CHANGES_CHANNEL } from './change-log.js';
import { type ChangeListener, keepListening, type StopListening } from './keep-listening.js';

/** Milliseconds in which a connection must be made, and answer. */
const PATIENCE = 2_000;
/** Milliseconds of silence before the other side is asked whether it is still there. */
const KEEP_ALIVE = 10_000;
/** Milliseconds that the end of a connection is waited for. */
const FAREWELL = 500;

/** Who wants to know of changes from Postgres. */
export interface PostgresListener extends ChangeListener {
  /** The database, as for `connectDatabase`. */
  readonly url: string;
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
  { url, onMessage }: PostgresListener,
  stopping: AbortSignal,
  opened: () => void,
): Promise<void> {
  const client = new pg.Client({
    connectionString: url,
    application_name: 'countersign changes',
    connectionTimeoutMillis: PATIENCE,
    query_timeout: PATIENCE,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE,
  });
  let stop = (): void => {};
  const lost = new Promise<void>((resolve, reject) => {
    client.on('error', reject);
    client.on('end', () => reject(new Error('the connection ended')));
    stop = resolve;
  });
  stopping.addEventListener('abort', stop, { once: true });
  // Until it is awaited below, its end is told by what fails before.
  lost.catch(() => undefined);
  client.on('notification', ({ payload = '' }) => onMessage(payload));
  try {
    await client.connect();
    await client.query(`LISTEN ${CHANGES_CHANNEL}`);
    opened();
    await lost;
  } finally {
    stopping.removeEventListener('abort', stop);
    // A peer that went silent never says goodbye; whoever stops does not wait for it.
    await Promise.race([
      client.end().catch(() => undefined),
      delay(FAREWELL, undefined, { ref: false }),
    ]);
  }
}
