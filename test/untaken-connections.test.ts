import type { ChildProcess } from 'node:child_process';
import cluster from 'node:cluster';
import { once } from 'node:events';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { closeUntakenConnections } from '../src/untaken-connections.js';

describe('a connection that was handed to a worker', function () {
  this.timeout(60_000);

  it('is closed where the worker is killed before it takes it', async () => {
    cluster.setupPrimary({
      exec: fileURLToPath(new URL('./support/workers/listens.mjs', import.meta.url)),
      args: [],
    });
    const worker = cluster.fork();
    closeUntakenConnections(worker.process);
    const handed = handedOver(worker.process);
    const [{ port }] = await once(worker, 'listening');
    worker.process.kill('SIGSTOP');
    const caller = connect(port, '127.0.0.1').on('error', () => undefined);
    await Promise.all([handed, once(caller, 'connect')]);
    worker.process.kill('SIGKILL');
    await once(caller, 'close');
  });
});

/** Resolves when the primary has given this worker a connection. */
function handedOver(worker: ChildProcess): Promise<void> {
  const send = worker.send.bind(worker) as (...sent: unknown[]) => boolean;
  return new Promise((resolve) => {
    worker.send = (message: { act?: unknown }, ...others: unknown[]): boolean => {
      if (message.act === 'newconn') resolve();
      return send(message, ...others);
    };
  });
}
