import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';
import { sendRaw } from '../support/raw-http.js';
import { type Answered, type TestServer, testServer } from '../support/server.js';

const WRITE = { tenant: 'acme', subject: 'bob', action: 'write', resource: 'document:1' };

/** `/check` is answered in front of Express; with an empty query, the same route behind it. */
const [SHORT, LONG] = ['/check', '/check?'];

describe('the short way to an answer', () => {
  let server: TestServer;
  before(async () => {
    server = await testServer();
  });
  after(() => server.close());

  describe('gives the answers of the general one', () => {
    const good = JSON.stringify(WRITE);
    const bodies: Readonly<Record<string, string>> = {
      'a good check': good,
      'a check with everything': JSON.stringify({ ...WRITE, explain: true, dry_run: true }),
      'no JSON': '{',
      'a list': '[]',
      'nothing of a check': '{}',
      'members that are unknown': JSON.stringify({ ...WRITE, subjcet: 1 }),
      'members of the wrong type': JSON.stringify({ ...WRITE, resource: 5, context: [] }),
      'a resource without a type': JSON.stringify({ ...WRITE, resource: 'document' }),
      'a member called __proto__': good.replace('}', ',"context":{"__proto__":{"x":1}}}'),
      'a lone surrogate': good.replace('bob', String.raw`b\ud800b`),
      'a NUL': good.replace('bob', String.raw`b\u0000b`),
      'a number beyond doubles': good.replace('}', ',"context":{"n":1e999}}'),
      'what is nested too deep': good.replace(
        '}',
        `,"context":${'{"a":'.repeat(40)}1${'}'.repeat(41)}`,
      ),
      'a revision that is not here': JSON.stringify({ ...WRITE, min_revision: 1_000 }),
    };
    for (const [what, body] of Object.entries(bodies)) {
      it(`to ${what}`, async () => {
        assert.deepEqual(await told(SHORT, { body }), await told(LONG, { body }));
      });
    }

    const heads: Readonly<Record<string, Record<string, string>>> = {
      'no credential': { authorization: '' },
      'a credential that is none': { authorization: 'Bearer nobody' },
      'another type of content': { 'content-type': 'text/plain' },
      'JSON in another encoding': { 'content-type': 'application/json; charset=latin1' },
      'JSON that says its encoding': { 'content-type': 'Application/JSON; charset="UTF-8"' },
      'compressed JSON': { 'content-encoding': 'gzip' },
    };
    for (const [what, headers] of Object.entries(heads)) {
      it(`to ${what}`, async () => {
        const sent = { body: good, headers };
        assert.deepEqual(await told(SHORT, sent), await told(LONG, sent));
      });
    }
  });

  it('takes a body in pieces, cut where a character is not yet whole', async () => {
    const body = Buffer.from(JSON.stringify({ ...WRITE, context: { comment: 'Größe 😀' } }));
    const whole = await told(SHORT, { body: body.toString() });
    assert.equal(whole.status, 200);
    for (const size of [1, 3, 100]) {
      assert.deepEqual(await told(SHORT, { body: body.toString(), pieces: size }), whole);
    }
  });

  it('refuses a header that decides who asks where it comes twice, however it is spelt', async () => {
    for (const [name, value] of [
      ['AUTHORIZATION', `Bearer ${server.rootKey}`],
      ['Content-TYPE', 'application/json'],
    ]) {
      const { status, body } = await sendRaw(
        server.port,
        `POST /check HTTP/1.1\r\nHost: x\r\nConnection: close\r\nauthorization: Bearer ${server.rootKey}\r\n` +
          `content-type: application/json\r\n${name}: ${value}\r\nContent-Length: 2\r\n\r\n{}`,
      );
      assert.equal(status, 400, body);
      assert.match(JSON.parse(body).detail, /once only/);
    }
  });

  describe('on one connection', () => {
    let agent: Agent;
    beforeEach(() => {
      agent = new Agent({ keepAlive: true, maxSockets: 1 });
    });
    afterEach(() => agent.destroy());

    const ask = (key: string, body: object) =>
      told(SHORT, {
        body: JSON.stringify(body),
        headers: { authorization: `Bearer ${key}` },
        agent,
      });

    it('refuses a key in the first check after it was revoked, and goes on with another', async () => {
      const { id, key } = await server.key(['service'], { tenant: 'acme' });
      for (let times = 0; times < 3; times += 1) assert.equal((await ask(key, WRITE)).status, 200);
      assert.equal((await server.call('DELETE', `/v1/keys/${id}`)).status, 200);
      assert.equal((await ask(key, WRITE)).status, 401);
      assert.equal((await ask(server.rootKey, WRITE)).status, 200);
      assert.equal((await ask(key, WRITE)).status, 401);
    });

    /** The status of a check whose key has lost its force, by `meanwhile`, once it was let through the door. */
    const statusAfter = async (key: string, meanwhile: () => Promise<void>): Promise<unknown> => {
      const body = JSON.stringify(WRITE);
      const asked = request(server.url + SHORT, {
        method: 'POST',
        agent,
        headers: {
          Authorization: `Bearer ${key}`,
          'Content-Type': 'application/json',
          'Content-Length': body.length,
          Expect: '100-continue',
        },
      });
      const answered = once(asked, 'response');
      asked.flushHeaders();
      // Whoever is told to go on was let through the door.
      await once(asked, 'continue');
      await meanwhile();
      asked.end(body);
      const [response] = (await answered) as [IncomingMessage];
      response.resume();
      return response.statusCode;
    };
    const shortKey = async (milliseconds: number): Promise<string> => {
      const expires_at = new Date(server.now + milliseconds).toISOString();
      const body = { name: 'short', tenant: 'acme', roles: ['service'], expires_at };
      return (await server.call<{ key: string }>('POST', '/v1/keys', { body })).body.key;
    };

    it('refuses a key that is revoked while the body is on its way', async () => {
      const { id, key } = await server.key(['service'], { tenant: 'acme' });
      const status = await statusAfter(key, async () => {
        assert.equal((await server.call('DELETE', `/v1/keys/${id}`)).status, 200);
      });
      assert.equal(status, 401);
    });

    it('refuses a key that expires while the body is on its way', async () => {
      const key = await shortKey(60_000);
      const inTime = async () => void (server.now += 59_999);
      assert.equal(await statusAfter(key, inTime), 200);
      assert.equal(await statusAfter(key, async () => void (server.now += 1)), 401);
    });

    it('refuses a key from the millisecond at which it expires', async () => {
      const key = await shortKey(60_000);
      server.now += 59_999;
      assert.equal((await ask(key, WRITE)).status, 200);
      server.now += 1;
      assert.equal((await ask(key, WRITE)).status, 401);
    });

    it('never takes one key for the other', async () => {
      const acme = await server.key(['service'], { tenant: 'acme' });
      const globex = await server.key(['service'], { tenant: 'globex' });
      const there = { ...WRITE, tenant: 'globex' };
      for (let times = 0; times < 3; times += 1) {
        assert.equal((await ask(acme.key, WRITE)).status, 200);
        assert.equal((await ask(globex.key, WRITE)).status, 403);
        assert.equal((await ask(globex.key, there)).status, 200);
        assert.equal((await ask(acme.key, there)).status, 403);
      }
    });
  });

  it('answers what was kept for a repetition with the same bytes', async () => {
    const headers = { 'Idempotency-Key': 'short-way' };
    const texts = new Set<string>();
    for (let times = 0; times < 3; times += 1) {
      const { text } = await server.call('POST', '/check', { body: WRITE, headers });
      texts.add(text);
    }
    assert.equal(texts.size, 1);
  });

  interface Sent {
    readonly body: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly agent?: Agent;
    /** Bytes of each write; all at once unless given. */
    readonly pieces?: number;
  }

  /** What a caller is told, but for the ids that every answer has of its own. */
  async function told(
    path: string,
    { body, headers = {}, agent, pieces }: Sent,
  ): Promise<Pick<Answered, 'status' | 'body'> & { readonly type: string | undefined }> {
    const bytes = Buffer.from(body);
    return new Promise((resolve, reject) => {
      const call = request(
        {
          port: server.port,
          method: 'POST',
          path,
          agent,
          headers: {
            authorization: `Bearer ${server.rootKey}`,
            'content-type': 'application/json',
            ...headers,
          },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('end', () => {
            const answer = JSON.parse(Buffer.concat(chunks).toString());
            const { request_id: _, decision_id: __, ...rest } = answer;
            const type = response.headers['content-type'];
            resolve({ status: response.statusCode ?? 0, body: rest, type });
          });
        },
      );
      call.on('error', reject);
      const size = pieces ?? Math.max(1, bytes.length);
      for (let at = 0; at < bytes.length; at += size) call.write(bytes.subarray(at, at + size));
      call.end();
    });
  }
});
