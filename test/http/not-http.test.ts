import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { sendRaw } from '../support/raw-http.js';
import { startStubServer, type StubServer } from '../support/stub-server.js';
import { DECIDED, STUB_KEY } from '../support/stub-services.js';

describe('what is no HTTP', () => {
  let server: StubServer;

  before(async () => void (server = await startStubServer()));
  beforeEach(() => server.reset());
  after(() => server.stop());

  for (const [name, bytes] of [
    ['garbage', 'hello\r\n\r\n'],
    ['a bad version', 'GET / HTTP/9.9\r\n\r\n'],
    ['a header without a name', 'GET / HTTP/1.1\r\nHost: x\r\n: y\r\n\r\n'],
    [
      'two lengths',
      'POST /check HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
    ],
    [
      'a length with chunks',
      'POST /check HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
    ],
    ['headers over 16 KiB', `GET / HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(20_000)}\r\n\r\n`],
  ] as const) {
    it(`gets a problem and a closed connection: ${name}`, async () => {
      const { status, body, text } = await sendRaw(server.port, bytes);
      assert.equal(status, 400, text);
      assert.equal(JSON.parse(body).code, 'invalid_request');
      assert.match(text, /Connection: close/);
    });
  }

  it('gets one in the middle of a body too', async () => {
    const { status } = await sendRaw(
      server.port,
      `POST /check HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${STUB_KEY}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`,
    );
    assert.equal(status, 400);
  });

  describe('behind whole requests', () => {
    const check = (more = ''): string =>
      `POST /check HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${STUB_KEY}\r\nContent-Type: application/json\r\n${more}\r\n`;
    const whole = (more = ''): string => `${check(`${more}Content-Length: 2\r\n`)}{}`;
    const statusesOf = (text: string): string[] =>
      [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status ?? '');

    for (const [name, bytes, statuses] of [
      ['of one', `${whole()}garbage\r\n\r\n`, ['200', '400']],
      ['of two', `${whole()}${whole()}garbage\r\n\r\n`, ['200', '200', '400']],
      [
        'in the body of the next',
        `${whole()}${check('Transfer-Encoding: chunked\r\n')}zz\r\n`,
        ['200', '400'],
      ],
      ['after the last that is taken', `${whole('Connection: close\r\n')}${whole()}`, ['200']],
    ] as const) {
      it(`waits for their answers: ${name}`, async () => {
        const { text } = await sendRaw(server.port, bytes);
        assert.deepEqual(statusesOf(text), statuses);
      });
    }

    it('waits for an answer that takes time', async () => {
      let release: (() => void) | undefined;
      const asked = new Promise<void>((resolve) => {
        server.answerCheck = () => {
          resolve();
          return new Promise((answer) => {
            release = () => answer({ body: DECIDED });
          });
        };
      });
      const socket = connect(server.port, '127.0.0.1');
      socket.write(`${whole()}garbage\r\n\r\n`);
      let text = '';
      socket.on('data', (chunk) => {
        text += String(chunk);
      });
      const closed = new Promise((resolve) => socket.once('close', resolve));
      await asked;
      socket.write('and more of it');
      release?.();
      await closed;
      assert.deepEqual(statusesOf(text), ['200', '400']);
    });
  });
});
