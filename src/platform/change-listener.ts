import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { CHANGES_CHANNEL } from './change-log.js';
import type { Logger } from './log.js';

/** Milliseconds before a lost connection is made anew; doubled for each further try, up to the last. */
const FIRST_RETRY = 50;
const LAST_RETRY = 2_000;
/** Milliseconds of silence before the other side is asked whether it is still there. */
const KEEP_ALIVE = 10_000;
/** Milliseconds that the end of a connection is waited for. */
const FAREWELL = 500;

/** Who wants to know of changes. */
export interface ChangeListenerOptions {
  /** The database, as for `connectDatabase`. */
  readonly url: string;
  /**
   * Told of the revision of every change as it commits; and with no revision whenever a connection
   * begins to listen, since what was committed before that was told to nobody.
   */
  onChange(revision: number | undefined): void;
  readonly log: Pick<Logger, 'warn' | 'info'>;
}

/** Ends the listening. */
export type StopListening = () => Promise<void>;

/**
 * Listens for changes of any server on the same database, on a connection of its own. A hint, no
 * more: whoever is told reads the change log. Resolves once it listens, or has failed for the first
 * time; it tries again for ever.
 */
export async function listenForChanges(options: ChangeListenerOptions): Promise<StopListening> {
  const stopping = new AbortController();
  let ended = Promise.resolve();
  await new Promise<void>((tried) => {
    ended = keepListening(options, stopping.signal, tried);
  });
  return async () => {
    stopping.abort();
    await ended;
  };
}

async function keepListening(
  { url, onChange, log }: ChangeListenerOptions,
  stopping: AbortSignal,
  tried: () => void,
): Promise<void> {
  let wait = FIRST_RETRY;
  let away = false;
  while (!stopping.aborted) {
    try {
      await listenUntilLost(url, stopping, onChange, () => {
        if (away) log.info('changes are listened for again');
        wait = FIRST_RETRY;
        away = false;
        tried();
      });
    } catch (error) {
      if (!away) log.warn({ err: error }, 'changes cannot be listened for; they are asked for');
      away = true;
      tried();
    }
    await delay(wait, undefined, { signal: stopping, ref: false }).catch(() => undefined);
    wait = Math.min(wait * 2, LAST_RETRY);
  }
}

/** Resolves when it is told to stop; rejects when the connection cannot be made, or is lost. */
async function listenUntilLost(
  url: string,
  stopping: AbortSignal,
  onChange: ChangeListenerOptions['onChange'],
  listening: () => void,
): Promise<void> {
  const client = new pg.Client({
    connectionString: url,
    application_name: 'countersign changes',
    connectionTimeoutMillis: LAST_RETRY,
    query_timeout: LAST_RETRY,
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
  client.on('notification', ({ payload }) => {
    const revision = Number(payload);
    onChange(Number.isSafeInteger(revision) ? revision : undefined);
  });
  try {
    await client.connect();
    await client.query(`LISTEN ${CHANGES_CHANNEL}`);
    listening();
    onChange(undefined);
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
