import { once } from 'node:events';
import type { Server } from 'node:http';
import { type AddressInfo, Server as SocketServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** How long requests in flight may take once the server closes, in milliseconds. */
const IN_FLIGHT = 3_500;

/** How long the answers of what is given up then may take to leave, in milliseconds. */
const LEAVING = 500;

/** Opens the port; 0 takes a free one. Answers `http://HOST:PORT`, as a client writes it. */
export async function listen(server: Server, host: string, port: number): Promise<string> {
  server.listen(port, host);
  await once(server, 'listening');
  const address = server.address() as AddressInfo;
  const name = address.family === 'IPv6' || host.includes(':') ? `[${host}]` : host;
  return `http://${name}:${address.port}`;
}

/** Takes no new connections; those that are open are answered as before. */
export function stopListening(server: Server): void {
  // `close` of an HTTP server ends idle connections, on which a request may be on its way.
  SocketServer.prototype.close.call(server);
}

/**
 * Takes no new connections and waits for what is in flight, but not for ever: what `giveUp` ends after
 * 3.5 seconds can still say so, then all connections are closed.
 */
export async function closeGently(
  server: Server,
  giveUp: () => Promise<void> = async () => undefined,
): Promise<void> {
  const closed = once(server, 'close').then(() => 'closed');
  server.close();
  if ((await Promise.race([closed, delay(IN_FLIGHT, 'late', { ref: false })])) === 'closed') return;
  await giveUp();
  await Promise.race([closed, delay(LEAVING, 'late', { ref: false })]);
  server.closeAllConnections();
}
