import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { sendRaw } from '../support/raw-http.js';
import { problemOf, startStubServer, type StubServer } from '../support/stub-server.js';
import { STUB_KEY } from '../support/stub-services.js';

describe('the bodies of requests', () => {
  let server: StubServer;

  before(async () => void (server = await startStubServer()));
  beforeEach(() => server.reset());
  after(() => server.stop());

  for (const type of [
    'application/json',
    'application/json; charset=utf-8',
    'Application/JSON;charset="UTF-8"',
  ]) {
    it(`are read as ${type}`, async () => {
      assert.equal((await server.postCheck('{}', { 'Content-Type': type })).status, 200);
    });
  }

  for (const type of [
    'text/plain',
    'application/json; charset=latin1',
    'application/json; charset=utf-16',
    'application/jsonx',
    'application/problem+json',
    'multipart/form-data; boundary=x',
  ]) {
    it(`are refused as ${type}`, async () => {
      const response = await server.postCheck('{}', { 'Content-Type': type });
      await problemOf(response, 415, 'unsupported_media_type');
    });
  }

  it('are refused when they are compressed', async () => {
    const response = await server.postCheck('{}', { 'Content-Encoding': 'gzip' });
    await problemOf(response, 415, 'unsupported_media_type');
  });

  for (const [name, body] of [
    ['empty', ''],
    ['cut', '{"a":'],
    ['an array', '[]'],
    ['a string', '"x"'],
    ['null', 'null'],
    ['a number', '1'],
    ['two documents', '{}{}'],
    ['a comment', '{/* x */}'],
    ['no UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
    ['UTF-16', Buffer.from('{}', 'utf16le')],
    ['nested 10,000 deep', '{"a":'.repeat(10_000) + '1' + '}'.repeat(10_000)],
    ['a nest of 500,000 arrays', `{"a":${'['.repeat(500_000)}${']'.repeat(500_000)}}`],
    ['a __proto__ member', '{"context":{"__proto__":{"a":1}}}'],
    ['a lone surrogate', '{"context":{"a":"\\ud800"}}'],
    ['a lone surrogate as a name', '{"context":{"\\udc00":1}}'],
    ['NUL', '{"context":{"a":"\\u0000"}}'],
    ['a number beyond doubles', '{"context":{"a":1e999}}'],
  ] as const) {
    for (const path of ['/check', '/check/batch', '/v1/approvals']) {
      it(`are refused by ${path}: ${name}`, async () => {
        await problemOf(await server.post(path, body), 400, 'invalid_request');
      });
    }
  }

  it('name the place of what is refused', async () => {
    const response = await server.postCheck('{"context":{"a":["\\u0000"]}}');
    const { errors } = await problemOf(response, 400, 'invalid_request');
    assert.deepEqual(errors?.[0]?.path, '/context/a/0');
  });

  it('are refused over 1 MiB, by what is announced', async () => {
    await problemOf(
      await server.postCheck(`{"a":"${'x'.repeat(1024 * 1024)}"}`),
      413,
      'payload_too_large',
    );
  });

  it('are refused over 1 MiB, by what arrives', async () => {
    const chunk = `${(65536).toString(16)}\r\n${'x'.repeat(65536)}\r\n`;
    const { status, text } = await sendRaw(
      server.port,
      `POST /check HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${STUB_KEY}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n${chunk.repeat(40)}0\r\n\r\n`,
    );
    assert.equal(status, 413);
    assert.match(text, /Connection: close/i);
  });

  it('of exactly 1 MiB are read', async () => {
    const response = await server.postCheck(`{"a":"${'x'.repeat(1024 * 1024 - 8)}"}`);
    assert.equal(response.status, 200);
  });

  it('are asked for with 100 Continue only once the credential is known', async () => {
    const head = (key: string) =>
      `POST /check HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key}\r\nContent-Type: application/json\r\nContent-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n`;
    const refused = await sendRaw(server.port, head('nonsense'));
    assert.equal(refused.status, 401);
    const asked = await sendRaw(server.port, head(STUB_KEY), (text) =>
      text.includes('100 Continue'),
    );
    assert.equal(asked.status, 100);
  });

  it('that end too early get no answer and harm nobody', async () => {
    const socket = connect(server.port, '127.0.0.1');
    socket.write(
      `POST /check HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${STUB_KEY}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"a"`,
    );
    await new Promise<void>((resolve) => socket.end(() => resolve()));
    await new Promise((resolve) => socket.once('close', resolve).resume());
    assert.equal((await server.postCheck('{}')).status, 200);
  });
});
