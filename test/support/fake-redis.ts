import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';

/** A Redis on a free port that greets every client, and answers no `GET`. */
export interface FakeRedis {
  readonly port: number;
  /** Names of the commands received, in order. */
  readonly received: string[];
  /** Answers nothing any more, until it is to speak again. */
  fallSilent(): void;
  speak(): void;
  /** Breaks every connection. */
  breakConnections(): void;
  close(): Promise<void>;
}

const GREETINGS: Readonly<Record<string, string>> = {
  HELLO: '%1\r\n$6\r\nserver\r\n$5\r\nredis\r\n',
  INFO: '$9\r\nloading:0\r\n',
};

/** Starts one; for what a real Redis cannot be brought to do when a test wants it. */
export async function startFakeRedis(port = 0): Promise<FakeRedis> {
  const received: string[] = [];
  const sockets = new Set<Socket>();
  let silent = false;
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', (data) => {
      for (const [, name = ''] of data.toString().matchAll(/\*\d+\r\n\$\d+\r\n(\w+)\r\n/g)) {
        received.push(name.toUpperCase());
        if (silent || name.toUpperCase() === 'GET') continue;
        socket.write(GREETINGS[name.toUpperCase()] ?? '+OK\r\n');
      }
    });
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const breakConnections = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    received,
    fallSilent() {
      silent = true;
    },
    speak() {
      silent = false;
    },
    breakConnections,
    async close() {
      const closed = once(server, 'close');
      server.close();
      breakConnections();
      await closed;
    },
  };
}
