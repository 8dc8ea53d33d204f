import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import { NotFound } from '../../src/errors.js';
import { createApp } from '../../src/http/app.js';
import { allRoutes } from '../../src/http/routes.js';
import { sendRaw } from '../support/raw-http.js';
import {
  JSON_HEADERS,
  type Problem,
  problemOf,
  startStubServer,
  type StubServer,
} from '../support/stub-server.js';
import { DECIDED, STUB_KEY } from '../support/stub-services.js';

describe('the HTTP server', () => {
  let server: StubServer;

  before(async () => void (server = await startStubServer()));
  beforeEach(() => server.reset());
  after(() => server.stop());

  it('answers a check', async () => {
    const response = await server.postCheck('{}');
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('content-type'), 'application/json; charset=utf-8');
    assert.equal(response.headers.get('cache-control'), 'no-store');
    assert.equal(response.headers.get('x-content-type-options'), 'nosniff');
    assert.deepEqual(await response.json(), DECIDED);
  });

  describe('request ids', () => {
    it('echoes one of visible ASCII', async () => {
      const response = await server.call('/health', { headers: { 'X-Request-Id': 'a.B-1~' } });
      assert.equal(response.headers.get('x-request-id'), 'a.B-1~');
    });

    for (const [name, given] of [
      ['holds a space', 'a b'],
      ['is longer than 128', 'a'.repeat(129)],
      ['is not ASCII', 'é'],
    ] as const) {
      it(`makes one where the given one ${name}`, async () => {
        const response = await server.call('/health', { headers: { 'X-Request-Id': given } });
        assert.match(response.headers.get('x-request-id') ?? '', /^req_[0-9a-f-]{36}$/);
      });
    }

    it('puts it into every problem document', async () => {
      const response = await server.call('/nowhere', { headers: { 'X-Request-Id': 'mine' } });
      assert.equal((await problemOf(response, 404, 'not_found')).request_id, 'mine');
    });
  });

  describe('paths and methods', () => {
    for (const path of [
      '/',
      '/nowhere',
      '/check/',
      '/Check',
      '/v1',
      '/%63heck',
      '/health/../check',
    ]) {
      it(`knows no path ${path}`, async () => {
        const { status, body } = await sendRaw(
          server.port,
          `POST ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
        );
        assert.equal(status, 404);
        assert.equal(JSON.parse(body).code, 'not_found');
      });
    }

    it('names the methods that a known path takes', async () => {
      const response = await server.call('/check');
      assert.equal(response.headers.get('allow'), 'POST, OPTIONS');
      await problemOf(response, 405, 'method_not_allowed');
      const health = await server.call('/health', { method: 'DELETE' });
      assert.equal(health.headers.get('allow'), 'GET, HEAD, OPTIONS');
      await problemOf(health, 405, 'method_not_allowed');
    });

    it('refuses every other method on every path', async () => {
      for (const { path } of allRoutes(server.services)) {
        const refused = await server.call(path, { method: 'PATCH' });
        assert.match(refused.headers.get('allow') ?? '', /(GET|POST|DELETE).*OPTIONS/, path);
        await problemOf(refused, 405, 'method_not_allowed');
      }
    });

    it('answers OPTIONS with the methods alone', async () => {
      const response = await server.call('/check/batch', { method: 'OPTIONS' });
      assert.equal(response.status, 204);
      assert.equal(response.headers.get('allow'), 'POST, OPTIONS');
    });

    it('answers HEAD as GET without the body', async () => {
      const response = await server.call('/health', { method: 'HEAD' });
      assert.equal(response.status, 200);
      assert.equal(await response.text(), '');
      assert.ok(Number(response.headers.get('content-length')) > 0);
    });

    it('takes a request target in absolute form', async () => {
      const { status } = await sendRaw(
        server.port,
        'GET http://anywhere/health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
      );
      assert.equal(status, 200);
    });

    for (const path of [
      '/v1/approvals/%',
      '/v1/approvals/%ff',
      '/v1/approvals/%zz',
      '/v1/approvals/a%00b',
    ]) {
      it(`refuses the path ${path}`, async () => {
        const { status, body } = await sendRaw(
          server.port,
          `GET ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${STUB_KEY}\r\nConnection: close\r\n\r\n`,
        );
        assert.equal(status, 400);
        assert.equal(JSON.parse(body).code, 'invalid_request');
      });
    }
  });

  describe('credentials', () => {
    it('are asked for before the body is read', async () => {
      const head = 'POST /check HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n';
      const { status, text } = await sendRaw(server.port, head, (text) => text.includes('}'));
      assert.equal(status, 401);
      assert.match(text, /WWW-Authenticate: Bearer/i);
    });

    for (const authorization of ['', 'Bearer', 'Basic abc', 'Bearer a b', `bearer${STUB_KEY}`]) {
      it(`are missing in \`Authorization: ${authorization}\``, async () => {
        const response = await server.call('/check', {
          method: 'POST',
          headers: { ...JSON_HEADERS, Authorization: authorization },
          body: '{}',
        });
        await problemOf(response, 401, 'unauthenticated');
      });
    }

    it('may not be sent twice', async () => {
      const { status } = await sendRaw(
        server.port,
        `POST /check HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${STUB_KEY}\r\nAuthorization: Bearer b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
      );
      assert.equal(status, 400);
    });
  });

  describe('errors', () => {
    it('of its own kind are told', async () => {
      server.answerCheck = async () => {
        throw new NotFound('nothing of that name');
      };
      const { detail } = await problemOf(await server.postCheck('{}'), 404, 'not_found');
      assert.equal(detail, 'nothing of that name');
    });

    it('of any other kind say nothing, and are logged with the request id', async () => {
      const cause = new Error('SELECT secret FROM api_keys');
      server.answerCheck = async () => {
        throw cause;
      };
      const response = await server.postCheck('{}');
      const told = await problemOf(response, 500, 'internal_error');
      assert.ok(!JSON.stringify(told).includes('secret'));
      const line = server.log.lines.find(({ level }) => level === 'error');
      assert.equal(line?.members.requestId, told.request_id);
      assert.equal(line?.members.err, cause);
    });

    for (const [name, error] of [
      [
        'a refused connection',
        Object.assign(new Error('x'), { code: 'ECONNREFUSED', syscall: 'connect' }),
      ],
      ['a query that took too long', new Error('Query read timeout')],
      ['a database that shuts down', Object.assign(new Error('x'), { code: '57P01' })],
      ['a pool without a free connection', new Error('timeout exceeded when trying to connect')],
      [
        'a wrapped one',
        new Error('outer', { cause: new Error('Connection terminated unexpectedly') }),
      ],
      [
        'several at once',
        new AggregateError([
          Object.assign(new Error('x'), { code: 'ECONNREFUSED', syscall: 'connect' }),
        ]),
      ],
    ] as const) {
      it(`are 503 for ${name}`, async () => {
        server.answerCheck = async () => {
          throw error;
        };
        const response = await server.postCheck('{}');
        assert.equal(response.headers.get('retry-after'), '1');
        await problemOf(response, 503, 'unavailable');
      });
    }
  });

  describe('what does not end', () => {
    it('is answered all the same: try again, or look whether it was done', async function () {
      this.timeout(15_000);
      const never = (): Promise<never> => new Promise(() => {});
      const slow = createApp({
        ...server.services,
        keys: { create: never, list: never, revoke: never },
      });
      await new Promise<void>((resolve) => slow.listen(0, '127.0.0.1', resolve));
      const url = `http://127.0.0.1:${(slow.address() as AddressInfo).port}/v1/keys`;
      const body = JSON.stringify({ name: 'x', roles: [] });
      const [look, change] = await Promise.all([
        fetch(url, { headers: JSON_HEADERS }),
        fetch(url, { method: 'POST', headers: JSON_HEADERS, body }),
      ]);
      assert.deepEqual([look.status, change.status], [503, 503]);
      assert.equal(change.headers.get('retry-after'), '1');
      assert.match(((await look.json()) as Problem).detail, /try again/);
      assert.match(((await change.json()) as Problem).detail, /look whether it did/);
      await new Promise((resolve) => slow.close(resolve));
    });
  });

  describe('queries', () => {
    for (const [query, path] of [
      ['unknown=1', '/unknown'],
      ['limit=0', '/limit'],
      ['limit=201', '/limit'],
      ['limit=ten', '/limit'],
      ['limit=1e1', '/limit'],
      ['limit=1&limit=2', '/limit'],
      ['limit[]=1', '/limit[]'],
      ['status=open', '/status'],
      ['__proto__=1', '/__proto__'],
      ['constructor=1', '/constructor'],
    ] as const) {
      it(`are refused: ${query}`, async () => {
        const response = await server.call(`/v1/approvals?${query}`, { headers: JSON_HEADERS });
        const { errors } = await problemOf(response, 400, 'invalid_request');
        assert.equal(errors?.[0]?.path, path);
      });
    }

    for (const query of ['status=%', 'status=%ff', 'after=a%00b', 'after=%0a']) {
      it(`are refused: ${query}`, async () => {
        const response = await server.call(`/v1/approvals?${query}`, { headers: JSON_HEADERS });
        await problemOf(response, 400, 'invalid_request');
      });
    }

    it('are refused on a path that takes none', async () => {
      const response = await server.call('/check?x=1', {
        method: 'POST',
        headers: JSON_HEADERS,
        body: '{}',
      });
      await problemOf(response, 400, 'invalid_request');
    });
  });

  describe('going down', () => {
    it('closes connections and is no longer ready, and goes on answering', async () => {
      server.draining = true;
      const answer = await server.postCheck('{}');
      assert.equal(answer.status, 200);
      assert.equal(answer.headers.get('connection'), 'close');
      await problemOf(await server.call('/health/ready'), 503, 'unavailable');
      assert.equal((await server.call('/health/live')).status, 200);
    });
  });

  it('counts requests by route, never by what a caller made up', async () => {
    await (await server.call('/nowhere/at/all')).text();
    await (await server.postCheck('{}')).text();
    const text = await server.services.metrics.registry.metrics();
    assert.match(text, /countersign_http_requests_total\{[^}]*route="\/check"[^}]*status="200"/);
    assert.match(text, /countersign_http_requests_total\{[^}]*route="unknown"/);
    assert.ok(!text.includes('nowhere'));
  });

  it('says nothing of what it is made of', async () => {
    for (const path of ['/health', '/nowhere']) {
      const { headers } = await server.call(path);
      assert.equal(headers.get('x-powered-by'), null);
      assert.equal(headers.get('server'), null);
    }
  });
});
