import assert from 'node:assert/strict';
import { sendRaw } from '../support/raw-http.js';
import { type TestServer, testServer } from '../support/server.js';

const WRITE = { tenant: 'acme', subject: 'bob', action: 'write', resource: 'document:1' };

interface Batch {
  readonly results: readonly { allowed?: boolean; error?: { code: string; errors: object[] } }[];
}

describe('POST /check/batch', () => {
  let server: TestServer;
  before(async () => {
    server = await testServer();
  });
  after(() => server.close());

  const send = async (body: string): Promise<{ status: number; body: Batch }> => {
    const response = await fetch(`${server.url}/check/batch`, {
      method: 'POST',
      headers: {
        Authorization: `Bearer ${server.rootKey}`,
        'Content-Type': 'application/json',
      },
      body,
    });
    return { status: response.status, body: (await response.json()) as Batch };
  };

  const good = JSON.stringify(WRITE);
  const deep = `${'{"a":'.repeat(40)}1${'}'.repeat(40)}`;
  const bad = {
    'a NUL': JSON.stringify({ ...WRITE, subject: 'a\0' }),
    'half a surrogate pair': String.raw`{"tenant":"acme","subject":"\ud800","action":"a","resource":"b:c"}`,
    'a number beyond doubles': good.replace('}', ',"context":{"n":1e999}}'),
    'a member called __proto__': good.replace('}', ',"context":{"__proto__":{"x":1}}}'),
    'what is nested too deep': good.replace('}', `,"context":${deep}}`),
    'a very deep list': `${'['.repeat(100_000)}${']'.repeat(100_000)}`,
  };
  for (const [what, item] of Object.entries(bad)) {
    it(`puts an error in the place of an item with ${what}`, async () => {
      const { status, body } = await send(`{"checks":[${good},${item},${good}]}`);
      assert.equal(status, 200, JSON.stringify(body));
      const [first, second, third] = body.results;
      assert.deepEqual([first?.allowed, third?.allowed], [true, true]);
      assert.equal(second?.error?.code, 'invalid_request');
      assert.ok((second?.error?.errors.length ?? 0) > 0, 'says what is wrong');
    });
  }

  it('refuses the same in its defaults', async () => {
    const { status } = await send(`{"checks":[],"defaults":{"context":{"__proto__":{}}}}`);
    assert.equal(status, 400);
  });

  it('answers a repetition with bad items alike', async () => {
    const headers = { 'Idempotency-Key': 'batch-1' };
    const body = { checks: [WRITE, { ...WRITE, subject: 'a\0' }] };
    const first = await server.call('POST', '/check/batch', { body, headers });
    const again = await server.call('POST', '/check/batch', { body, headers });
    assert.deepEqual(again.body, first.body);
  });
});

describe('a request without Host', () => {
  let server: TestServer;
  before(async () => {
    server = await testServer();
  });
  after(() => server.close());

  it('gets a problem document as every bad request does', async () => {
    const { text: answer } = await sendRaw(
      server.port,
      'GET /health HTTP/1.1\r\nConnection: close\r\n\r\n',
    );
    assert.match(answer, /^HTTP\/1\.1 400 /);
    assert.match(answer, /application\/problem\+json/i);
    assert.match(answer, /x-request-id/i);
    assert.match(answer, /"code":"invalid_request"/);
  });
});
