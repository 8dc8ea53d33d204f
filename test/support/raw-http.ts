import { connect } from 'node:net';

/** What came back over one connection: everything that the server wrote before it closed. */
export interface RawAnswer {
  readonly text: string;
  readonly status: number;
  readonly body: string;
}

/**
 * Writes bytes to a server as they are and reads until it closes the connection, or until `enough`
 * says that what came is all there is to wait for.
 */
export function sendRaw(
  port: number,
  bytes: string | Buffer,
  enough: (text: string) => boolean = () => false,
): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    let text = '';
    const done = (): void => {
      socket.destroy();
      const [head = '', body = ''] = text.split('\r\n\r\n', 2);
      resolve({ text, status: Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1] ?? 0), body });
    };
    socket.on('data', (chunk) => {
      text += chunk.toString('utf8');
      if (enough(text)) done();
    });
    socket.on('close', done);
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (text === '' && error.code !== 'ECONNRESET' && error.code !== 'EPIPE') reject(error);
    });
    socket.write(bytes);
  });
}
