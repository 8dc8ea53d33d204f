import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from './log.js';

/** Milliseconds before a lost connection is made anew; doubled for each further try, up to the last. */
const FIRST_RETRY = 50;
const LAST_RETRY = 2_000;

/** Who wants to know of changes, by one way. */
export interface ChangeListener {
  /** Given every message as it came: not to be trusted. */
  onMessage(text: string): void;
  /** Told whenever a connection begins to listen: what was said before that was heard by nobody. */
  onOpen(): void;
  readonly log: Pick<Logger, 'warn' | 'info'>;
}

/**
 * Listens on a new connection: calls `opened` once it does, resolves when `stopping` is aborted, and
 * throws or rejects when the connection cannot be made, or is lost.
 */
export type ListenUntilLost = (
  stopping: AbortSignal,
  opened: () => void,
  /** Counts the connections, from 0. */
  attempt: number,
) => Promise<void>;

/** Ends the listening. */
export type StopListening = () => Promise<void>;

/**
 * Listens, and listens again for ever where the connection is lost. Resolves once it listens, or has
 * failed for the first time; outages are logged once each, under the name of the `way`.
 */
export async function keepListening(
  way: string,
  listenUntilLost: ListenUntilLost,
  { onOpen, log }: Pick<ChangeListener, 'onOpen' | 'log'>,
): Promise<StopListening> {
  const stopping = new AbortController();
  const { signal } = stopping;
  let ended = Promise.resolve();
  await new Promise<void>((tried) => {
    let wait = FIRST_RETRY;
    let away = false;
    const opened = (): void => {
      if (away) log.info({ way }, 'changes are listened for again');
      wait = FIRST_RETRY;
      away = false;
      tried();
      onOpen();
    };
    const listen = async (attempt: number): Promise<void> => {
      try {
        await listenUntilLost(signal, opened, attempt);
      } catch (error) {
        if (!away && !signal.aborted) {
          log.warn({ err: error, way }, 'changes cannot be listened for; they are asked for');
        }
        away = true;
      }
      tried();
    };
    const keepOn = async (): Promise<void> => {
      for (let attempt = 0; !signal.aborted; attempt += 1) {
        await listen(attempt);
        await delay(wait, undefined, { signal, ref: false }).catch(() => undefined);
        wait = Math.min(wait * 2, LAST_RETRY);
      }
    };
    ended = keepOn();
  });
  return async () => {
    stopping.abort();
    await ended;
  };
}
