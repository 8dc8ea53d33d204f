import type { ChildProcess } from 'node:child_process';

/** A connection that the primary accepted. */
interface Connection {
  close(): void;
}

/** How `node:cluster` hands a connection to a worker, and how the worker says whether it takes it. */
interface ClusterMessage {
  readonly act?: unknown;
  readonly seq?: unknown;
  readonly ack?: unknown;
}

/** Milliseconds until it is looked again whether all has been read that a worker said before its end. */
const SOON = 10;

/**
 * Closes, when this worker ends, the connections that it was handed and did not say to have taken.
 * `node:cluster` waits for that word for ever: the connection of a caller who came as a worker was
 * killed would stay open, and nobody would answer it.
 */
export function closeUntakenConnections(worker: ChildProcess): void {
  const untaken = new Map<unknown, Connection>();
  // Passed on as it came, whichever of its forms that is.
  const send = worker.send.bind(worker) as (...sent: unknown[]) => boolean;
  worker.send = (message: ClusterMessage, ...others: unknown[]): boolean => {
    const [connection] = others;
    if (message.act === 'newconn' && isConnection(connection)) untaken.set(message.seq, connection);
    return send(message, ...others);
  };
  worker.on('internalMessage', ({ ack }: ClusterMessage) => untaken.delete(ack));
  // One that it gave back belongs to another by now. There is no `disconnect` where one is under way.
  const closeAll = (): void => {
    if (worker.connected) setTimeout(closeAll, SOON);
    else for (const connection of untaken.values()) connection.close();
  };
  worker.once('exit', closeAll);
}

function isConnection(handle: unknown): handle is Connection {
  return typeof handle === 'object' && handle !== null && 'close' in handle;
}
