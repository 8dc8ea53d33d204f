import { setTimeout as delay } from 'node:timers/promises';
import { isatty } from 'node:tty';
import closeWithGrace from 'close-with-grace';
import type { Logger } from './platform/log.js';
import { shutdownTime } from './shutdown-time.js';

/** What runs until it is told to stop. */
export interface Stoppable {
  /** Settles with the reason when it can no longer go on; never rejects. */
  readonly failed: Promise<string>;
  /** Turns `/health/ready` away while requests are still answered. */
  drain(): void;
  /** Finishes what is in flight and closes everything. */
  stop(): Promise<void>;
  /** Replaces what answers, bit by bit; SIGHUP stops what has no such thing. */
  restart?(): void;
  /** Ends whatever does not end with this process; nobody waits any more. */
  kill?(): void;
}

/** How a server is run. */
export interface RunOptions {
  readonly drainMs: number;
  readonly log: Logger;
  /** Whether what is started has a `restart`. */
  readonly restarts: boolean;
}

/**
 * Starts a server, and answers the exit code once it has stopped: by a signal, a fault, or because it
 * failed. A signal that comes before it has started aborts the start, which then closes again what it
 * has opened. Rejects where the start fails by itself.
 */
export function untilStopped(
  start: (signal: AbortSignal) => Promise<Stoppable>,
  { drainMs, log, restarts }: RunOptions,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const stopping = new AbortController();
    let server: Stoppable | undefined;
    const kill = () => server?.kill?.();
    const grace = closeWithGrace(
      {
        delay: shutdownTime(drainMs),
        logger: false,
        skip: restarts ? ['SIGHUP'] : [],
        onSecondSignal: kill,
        onSecondError: kill,
        onTimeout: kill,
      },
      async ({ err, signal }) => {
        if (err) log.fatal({ err }, 'the server failed; it stops');
        else log.info({ signal }, 'the server stops');
        if (server === undefined) await giveUp(starting, stopping);
        else await stop(server, signal === 'SIGTERM' ? drainMs : 0);
        log.info('the server has stopped');
      },
    );
    if (restarts) onHangup(() => server?.restart?.(), grace.close);
    const starting = start(stopping.signal);
    starting.then(
      (started) => {
        server = started;
        void started.failed.then((reason) => {
          log.fatal({ reason }, 'the server cannot go on');
          grace.uninstall();
          started.drain();
          void started
            .stop()
            .catch((error: unknown) => log.error({ err: error }, 'not everything could be closed'))
            .finally(() => resolve(1));
        });
      },
      (error: unknown) => {
        // What was given up is no failure: the process ends when all is closed.
        if (stopping.signal.aborted) return;
        grace.uninstall();
        reject(error);
      },
    );
  });
}

/** Ends a start that is under way, or what came of it meanwhile. */
async function giveUp(starting: Promise<Stoppable>, stopping: AbortController): Promise<void> {
  stopping.abort(new Error('the server stops before it has started'));
  await starting.then(
    (server) => server.stop(),
    () => undefined,
  );
}

/** A load balancer needs time to see that this server is going; a person at the terminal does not. */
async function stop(server: Stoppable, drainMs: number): Promise<void> {
  server.drain();
  await delay(drainMs);
  await server.stop();
}

/** SIGHUP: somebody asks for a restart, or the terminal that the server ran in was closed. */
function onHangup(restart: () => void, close: () => void): void {
  const terminals = [0, 1, 2].filter((fd) => isatty(fd));
  let closing = false;
  process.on('SIGHUP', () => {
    if (terminals.every((fd) => isatty(fd))) restart();
    else if (!closing) {
      closing = true;
      close();
    }
  });
}
