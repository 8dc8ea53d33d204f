import assert from 'node:assert/strict';
import type { Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { createApp } from '../../src/http/app.js';
import { closeGently, listen } from '../../src/http/listen.js';
import { sendRaw } from '../support/raw-http.js';
import { DECIDED, STUB_KEY, stubServices } from '../support/stub-services.js';

const HEAD = `POST /check HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${STUB_KEY}\r\nContent-Type: application/json\r\n`;

/** A server that answers a check when `answer` is called. */
async function serverThatWaits(bounds = {}) {
  let answer: (() => void) | undefined;
  let asked: (() => void) | undefined;
  const isAsked = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const services = stubServices();
  const check = () =>
    new Promise<never>((resolve) => {
      answer = () => resolve({ body: DECIDED } as never);
      asked?.();
    });
  const server = createApp({ ...services, checks: { ...services.checks, check } }, bounds);
  await listen(server, '127.0.0.1', 0);
  return { server, port: portOf(server), isAsked, answer: () => answer?.() };
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

function closed(socket: Socket): Promise<unknown> {
  return new Promise((resolve) => socket.once('close', resolve).resume());
}

describe('slow clients', () => {
  let server: Server;
  let port: number;

  before(async () => {
    const bounds = { headersTimeout: 150, requestTimeout: 300, connectionsCheckingInterval: 30 };
    ({ server, port } = await serverThatWaits(bounds));
  });
  after(() => closeGently(server));

  it('that send nothing lose the connection', async () => {
    await closed(connect(port, '127.0.0.1'));
  });

  it('that never end their headers are told so', async () => {
    const { status, body } = await sendRaw(port, 'GET /health HTTP/1.1\r\nHost: x\r\n');
    assert.equal(status, 400);
    assert.match(JSON.parse(body).detail, /in time/);
  });

  it('that never end their body are told so', async () => {
    const { status, body } = await sendRaw(port, `${HEAD}Content-Length: 100\r\n\r\n{`);
    assert.equal(status, 400);
    assert.match(JSON.parse(body).detail, /in time/);
  });

  it('that go on sending what was refused lose the connection', async () => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write('POST /check HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n');
    const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`;
    const sending = setInterval(() => socket.write(chunk), 5);
    let text = '';
    socket.on('data', (bytes) => {
      text += bytes.toString();
    });
    await closed(socket);
    clearInterval(sending);
    assert.match(text, /^HTTP\/1\.1 401 /);
  });
});

describe('closing the server', () => {
  it('finishes what is in flight and takes nothing new', async () => {
    const { server, port, isAsked, answer } = await serverThatWaits();
    const pending = sendRaw(port, `${HEAD}Content-Length: 2\r\n\r\n{}`, (text) =>
      text.includes('}'),
    );
    await isAsked;
    const closing = closeGently(server);
    await assert.rejects(sendRaw(port, 'GET /health HTTP/1.1\r\n\r\n'), /ECONNREFUSED/);
    answer();
    assert.equal((await pending).status, 200);
    await closing;
    assert.equal(server.listening, false);
  });

  it('lets what takes too long be given up with an answer', async () => {
    const { server, port, isAsked, answer } = await serverThatWaits();
    const pending = sendRaw(port, `${HEAD}Content-Length: 2\r\n\r\n{}`);
    await isAsked;
    await closeGently(server, async () => answer());
    assert.equal((await pending).status, 200);
  });

  it('does not wait for connections that only stand open', async () => {
    const { server, port } = await serverThatWaits();
    const idle = connect(port, '127.0.0.1');
    idle.write('GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n');
    await new Promise((resolve) => idle.once('data', resolve));
    await closeGently(server);
    await closed(idle);
  });
});
