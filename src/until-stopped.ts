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

/** Answers the exit code once `server` has stopped: by a signal, a fault, or because it failed. */
export function untilStopped(server: Stoppable, drainMs: number, log: Logger): Promise<number> {
  return new Promise((resolve) => {
    const kill = () => server.kill?.();
    const grace = closeWithGrace(
      {
        delay: shutdownTime(drainMs),
        logger: false,
        skip: server.restart === undefined ? [] : ['SIGHUP'],
        onSecondSignal: kill,
        onSecondError: kill,
        onTimeout: kill,
      },
      async ({ err, signal }) => {
        if (err) log.fatal({ err }, 'the server failed; it stops');
        else log.info({ signal }, 'the server stops');
        server.drain();
        // A load balancer needs time to see it; a person at the terminal does not.
        if (signal === 'SIGTERM') await delay(drainMs);
        await server.stop();
        log.info('the server has stopped');
      },
    );
    if (server.restart !== undefined) onHangup(server.restart, grace.close);
    void server.failed.then((reason) => {
      log.fatal({ reason }, 'the server cannot go on');
      grace.uninstall();
      server.drain();
      void server
        .stop()
        .catch((error: unknown) => log.error({ err: error }, 'not everything could be closed'))
        .finally(() => resolve(1));
    });
  });
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
