/**
 * What a worker runs: a server like any other, on a port that it shares, told by the primary
 * (`worker-crew.ts`) when to begin and when to end.
 */
import cluster from 'node:cluster';
import { setTimeout as delay } from 'node:timers/promises';
import { Unavailable } from './errors.js';
import type { Config } from './platform/config.js';
import { keepGarbageYoung } from './platform/heap.js';
import { warmTicks } from './platform/warm-ticks.js';
import { createLogger, type Logger } from './platform/log.js';
import { withinTime } from './platform/later.js';
import { type RunningServer, startServer } from './server.js';
import { shutdownTime } from './shutdown-time.js';
import type { FromWorker, ToWorker } from './worker-messages.js';
import { reportOf } from './worker-metrics.js';

/** Milliseconds that the primary has to gather the metrics; it waits a second for the workers. */
const METRICS_TIME = 3_000;

/** Without a primary nobody new can come: those who are connected get so many milliseconds at most. */
const FAREWELL = 1_000;

/** A worker's settings, log and server, once it has them. */
interface Begun {
  readonly config: Config;
  readonly log: Logger;
  readonly server: RunningServer;
}

let begun: Begun | undefined;
let ending = false;
const waiting = new Set<(text: string) => void>();

keepGarbageYoung();
warmTicks();
// These reach a terminal's whole group; the primary says what they mean.
for (const signal of ['SIGINT', 'SIGQUIT', 'SIGHUP'] as const) process.on(signal, () => undefined);
process.on('SIGTERM', () => void toPrimary({ kind: 'retiring' }));
process.on('uncaughtException', (error) => void fail(error));
process.on('unhandledRejection', (error) => void fail(error));
process.on('message', (message: ToWorker) => hear(message));
cluster.worker?.once('disconnect', () => {
  // Otherwise the process would end here and now.
  if (cluster.worker !== undefined) cluster.worker.exitedAfterDisconnect = true;
  void outlive();
});
void toPrimary({ kind: 'loaded' });

function hear(message: ToWorker): void {
  switch (message.kind) {
    case 'start':
      void begin(message.config).catch((error: unknown) => fail(error));
      break;
    case 'drain':
      begun?.server.drain();
      break;
    case 'leave':
      begun?.server.leave();
      break;
    case 'stop':
      void end(0);
      break;
    case 'report':
      void report();
      break;
    case 'metrics':
      for (const take of waiting) take(message.text);
      break;
  }
}

async function begin(config: Config): Promise<void> {
  const log = createLogger(config.logLevel);
  const server = await startServer(config, { log, worker: { allMetrics } });
  begun = { config, log, server };
  log.info('the worker answers');
  await toPrimary({ kind: 'answering', url: server.url });
}

/** The primary is gone, and with it the port. */
async function outlive(): Promise<void> {
  if (ending) return;
  begun?.log.fatal('the primary is gone; the worker stops');
  begun?.server.drain();
  await delay(Math.min(begun?.config.drainMs ?? 0, FAREWELL));
  await end(1);
}

async function fail(error: unknown): Promise<void> {
  begun?.log.fatal({ err: error }, 'the worker failed; it stops');
  const reason = error instanceof Error ? error.message : String(error);
  await toPrimary({ kind: 'failing', reason });
  await end(1);
}

/** Ends this process in order, with its last words to the primary. */
async function end(code: number): Promise<void> {
  if (ending) return;
  ending = true;
  const isInOrder = begun === undefined || (await stop(begun));
  process.exit(isInOrder ? code : 1);
}

/** False where not everything could be finished, in time or at all. */
async function stop({ config, log, server }: Begun): Promise<boolean> {
  server.drain();
  try {
    const stopped = server.stop().then(() => true);
    if (!(await withinTime(stopped, shutdownTime(config.drainMs), false))) return false;
    await report();
    return true;
  } catch (error) {
    log.error({ err: error }, 'not everything could be closed');
    return false;
  }
}

async function report(): Promise<void> {
  if (begun === undefined) return;
  await toPrimary({ kind: 'report', report: await reportOf(begun.server.metrics) });
}

/** Asks the primary, who asks all workers. @throws Unavailable where it does not answer in time */
function allMetrics(): Promise<string> {
  return new Promise((resolve, reject) => {
    const take = (text: string): void => {
      clearTimeout(timer);
      waiting.delete(take);
      resolve(text);
    };
    const timer = setTimeout(() => {
      waiting.delete(take);
      reject(new Unavailable('the metrics of the workers could not be gathered in time'));
    }, METRICS_TIME);
    waiting.add(take);
    void toPrimary({ kind: 'metrics' });
  });
}

/** Resolves when it is on its way; at once where there is no primary any more. */
function toPrimary(message: FromWorker): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined || !process.connected) resolve();
    else process.send(message, undefined, undefined, () => resolve());
  });
}
