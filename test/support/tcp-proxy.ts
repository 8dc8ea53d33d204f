import { once } from 'node:events';
import {
  type AddressInfo,
  connect,
  createServer,
  type NetConnectOpts,
  type Server,
  type Socket,
} from 'node:net';
import { Transform } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';

/** Stands between a client and a store, so that a test can take the store away. */
export interface TcpProxy {
  readonly port: number;
  /** How many clients are connected. */
  readonly connections: number;
  /** Ends every connection and refuses new ones. */
  cut(): Promise<void>;
  /** Takes connections again, all of them new, and passes on what comes, at once. */
  mend(): Promise<void>;
  /**
   * Keeps every connection, old and new, and passes nothing on, not even that a side has hung up: the
   * other learns of nothing, as where packets are lost on their way.
   */
  stall(): void;
  /**
   * Passes on what clients send, and from where that holds `text` nothing that it is answered with, nor
   * that the client has hung up.
   */
  loseAnswersTo(text: string): void;
  /** Ends every connection, and takes new ones. */
  reset(): void;
  /** Passes everything on so many milliseconds later, in each direction; drawn anew for each part. */
  slow(milliseconds: number | (() => number)): void;
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

/** A proxy before a Redis, and the address of that Redis by way of the proxy. */
export async function redisProxy(
  redisUrl: string,
): Promise<{ readonly proxy: TcpProxy; readonly url: string }> {
  const url = new URL(redisUrl);
  const proxy = await tcpProxy({ host: url.hostname, port: Number(url.port || 6379) });
  url.host = `127.0.0.1:${proxy.port}`;
  return { proxy, url: url.href };
}

/** Forwards connections to a port, or a socket, of this machine. */
export async function tcpProxy(target: NetConnectOpts): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  const clients = new Set<Socket>();
  let stalled = false;
  let latency = (): number => 0;
  let lost: string | undefined;
  const forward = (client: Socket): void => {
    const store = connect(target);
    clients.add(client.once('close', () => clients.delete(client)));
    let isLost = false;
    client.on('data', (part: Buffer) => {
      if (lost === undefined || !part.includes(lost)) return;
      isLost = true;
      store.unpipe().resume();
    });
    for (const [from, to] of [
      [client, store],
      [store, client],
    ] as const) {
      sockets.add(from);
      from.on('error', () => undefined);
      from.once('close', () => {
        sockets.delete(from);
        if (!stalled && !isLost) to.destroy();
      });
      from.pipe(passingLater(() => latency())).pipe(to);
      if (stalled) from.pause();
    }
  };
  let server: Server = createServer(forward).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    get connections() {
      return clients.size;
    },
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
    loseAnswersTo(text) {
      lost = text;
    },
    reset() {
      // A store behind a socket of this machine knows no reset; it is let go with its client.
      for (const socket of sockets) if (socket.remoteFamily !== undefined) socket.resetAndDestroy();
    },
    slow(milliseconds) {
      latency = typeof milliseconds === 'number' ? () => milliseconds : milliseconds;
    },
    async mend() {
      stalled = false;
      latency = () => 0;
      lost = undefined;
      for (const socket of sockets) socket.destroy();
      if (server.listening) return;
      server = createServer(forward).listen(port, '127.0.0.1');
      await once(server, 'listening');
    },
  };
}

/** Passes on each part when its time has come, in their order. */
function passingLater(latency: () => number): Transform {
  let before = Promise.resolve();
  return new Transform({
    transform(part, _encoding, taken) {
      const wait = latency();
      const due = wait > 0 ? delay(wait) : undefined;
      before = before
        .then(() => due)
        .then(() => {
          if (!this.destroyed) this.push(part);
        });
      taken();
    },
    async flush(done) {
      await before;
      done();
    },
  });
}
