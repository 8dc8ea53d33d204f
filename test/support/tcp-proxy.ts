import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** Stands between a client and a store, so that a test can take the store away. */
export interface TcpProxy {
  readonly port: number;
  /** Ends every connection and refuses new ones. */
  cut(): Promise<void>;
  /** Takes connections again, and passes on what comes. */
  mend(): Promise<void>;
  /** Keeps every connection, old and new, and passes nothing on. */
  stall(): void;
}

/** Forwards connections to a port of this machine. */
export async function tcpProxy(target: { host: string; port: number }): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let stalled = false;
  const forward = (client: Socket): void => {
    const store = connect(target.port, target.host);
    for (const [from, to] of [
      [client, store],
      [store, client],
    ] as const) {
      sockets.add(from);
      from.on('error', () => undefined);
      from.once('close', () => {
        sockets.delete(from);
        to.destroy();
      });
      from.pipe(to);
      if (stalled) from.pause();
    }
  };
  let server: Server = createServer(forward).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    async cut() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
    stall() {
      stalled = true;
      for (const socket of sockets) socket.unpipe().pause();
    },
    async mend() {
      stalled = false;
      for (const socket of sockets) socket.destroy();
      if (server.listening) return;
      server = createServer(forward).listen(port, '127.0.0.1');
      await once(server, 'listening');
    },
  };
}
