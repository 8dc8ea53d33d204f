import type { Logger } from './log.js';

/** Work that is done again and again until it is stopped. */
export interface Repetition {
  /** Does it now, or once more after the run that is under way; never two runs at a time. */
  soon(): void;
  /** Starts no more runs; resolves when the last one is over. */
  stop(): Promise<void>;
}

/**
 * Repeats `work` every `interval` milliseconds. A run that fails is logged under `name`, and tried
 * again at its next time. The timer keeps no process alive.
 */
export function repeat(
  name: string,
  interval: number,
  work: () => Promise<unknown>,
  log: Pick<Logger, 'warn'>,
): Repetition {
  let running: Promise<void> | undefined;
  let again = false;
  let stopped = false;

  const run = async (): Promise<void> => {
    do {
      again = false;
      try {
        await work();
      } catch (error) {
        log.warn({ err: error, job: name }, 'a repeated job failed; it is tried again');
      }
    } while (again && !stopped);
    running = undefined;
  };
  const soon = (): void => {
    if (stopped) return;
    again = running !== undefined;
    running ??= run();
  };
  const timer = setInterval(soon, interval);
  timer.unref();
  return {
    soon,
    async stop() {
      stopped = true;
      clearInterval(timer);
      await running;
    },
  };
}
