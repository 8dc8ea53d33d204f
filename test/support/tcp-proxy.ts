import { once } from 'node:events';
import {
  type AddressInfo,
  connect,
  createServer,
  type NetConnectOpts,
  type Server,
  type Socket,
} from 'node:net';

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

/** A proxy before a Postgres, and the address of that Postgres by way of the proxy. */
export async function postgresProxy(
  databaseUrl: string,
): Promise<{ readonly proxy: TcpProxy; readonly url: string }> {
  const url = new URL(databaseUrl);
  const folder = url.searchParams.get('host');
  const port = Number(url.port || 5432);
  const proxy = await tcpProxy(
    folder?.startsWith('/') ? { path: `${folder}/.s.PGSQL.${port}` } : { host: url.hostname, port },
  );
  url.searchParams.delete('host');
  url.host = `127.0.0.1:${proxy.port}`;
  return { proxy, url: url.href };
}

/** Forwards connections to a port, or a socket, of this machine. */
export async function tcpProxy(target: NetConnectOpts): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let stalled = false;
  const forward = (client: Socket): void => {
    const store = connect(target);
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
