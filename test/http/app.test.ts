import assert from 'node:assert/strict';
import type { Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { NotFound } from '../../src/errors.js';
import { createApp } from '../../src/http/app.js';
import { allRoutes } from '../../src/http/routes.js';
import type { Services } from '../../src/http/services.js';
import { parsePlainObject } from '../../src/platform/json.js';
import { sendRaw } from '../support/raw-http.js';
import { DECIDED, memoryLog, STUB_KEY, stubServices } from '../support/stub-services.js';

const JSON_HEADERS = {
  Authorization: `Bearer ${STUB_KEY}`,
  'Content-Type': 'application/json',
};

interface Problem {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly request_id: string;
  readonly errors?: readonly { readonly path: string; readonly message: string }[];
}

describe('the HTTP server', () => {
  let server: Server;
  let port: number;
  let services: Services;
  let log: ReturnType<typeof memoryLog>;
  let answerCheck: () => Promise<{ body: object; retryAfter?: number }>;
  let draining: boolean;

  before(async () => {
    log = memoryLog();
    services = stubServices({
      log,
      checks: {
        check: (_caller, body) => {
          // The service is given the text, and reads it with this.
          parsePlainObject(body);
          return answerCheck() as never;
        },
        checkBatch: () => answerCheck() as never,
        openApproval: () => answerCheck() as never,
        room: () => undefined,
      },
      draining: () => draining,
      parting: () => draining,
    });
    server = createApp(services);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    port = (server.address() as AddressInfo).port;
  });
  beforeEach(() => {
    answerCheck = async () => ({ body: DECIDED });
    draining = false;
    log.lines.length = 0;
  });
  after(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  const call = (path: string, init: RequestInit = {}): Promise<Response> =>
    fetch(`http://127.0.0.1:${port}${path}`, init);
  const post = (path: string, body: string | Buffer, headers: Record<string, string> = {}) =>
    call(path, { method: 'POST', body, headers: { ...JSON_HEADERS, ...headers } });
  const postCheck = (body: string | Buffer, headers: Record<string, string> = {}) =>
    post('/check', body, headers);

  async function problem(response: Response, status: number, code: string): Promise<Problem> {
    const text = await response.text();
    assert.equal(response.status, status, text);
    assert.equal(response.headers.get('content-type'), 'application/problem+json');
    const body = JSON.parse(text);
    assert.equal(body.status, status);
    assert.equal(body.code, code);
    assert.equal(body.type, `urn:countersign:problem:${code}`);
    assert.equal(body.request_id, response.headers.get('x-request-id'));
    assert.ok(body.title.length > 0 && body.detail.length > 0);
    return body;
  }

  it('answers a check', async () => {
    const response = await postCheck('{}');
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('content-type'), 'application/json; charset=utf-8');
    assert.equal(response.headers.get('cache-control'), 'no-store');
    assert.equal(response.headers.get('x-content-type-options'), 'nosniff');
    assert.deepEqual(await response.json(), DECIDED);
  });

  describe('request ids', () => {
    it('echoes one of visible ASCII', async () => {
      const response = await call('/health', { headers: { 'X-Request-Id': 'a.B-1~' } });
      assert.equal(response.headers.get('x-request-id'), 'a.B-1~');
    });

    for (const [name, given] of [
      ['holds a space', 'a b'],
      ['is longer than 128', 'a'.repeat(129)],
      ['is not ASCII', 'é'],
    ] as const) {
      it(`makes one where the given one ${name}`, async () => {
        const response = await call('/health', { headers: { 'X-Request-Id': given } });
        assert.match(response.headers.get('x-request-id') ?? '', /^req_[0-9a-f-]{36}$/);
      });
    }

    it('puts it into every problem document', async () => {
      const response = await call('/nowhere', { headers: { 'X-Request-Id': 'mine' } });
      assert.equal((await problem(response, 404, 'not_found')).request_id, 'mine');
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
          port,
          `POST ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
        );
        assert.equal(status, 404);
        assert.equal(JSON.parse(body).code, 'not_found');
      });
    }

    it('names the methods that a known path takes', async () => {
      const response = await call('/check');
      assert.equal(response.headers.get('allow'), 'POST, OPTIONS');
      await problem(response, 405, 'method_not_allowed');
      const health = await call('/health', { method: 'DELETE' });
      assert.equal(health.headers.get('allow'), 'GET, HEAD, OPTIONS');
      await problem(health, 405, 'method_not_allowed');
    });

    it('refuses every other method on every path', async () => {
      for (const { path } of allRoutes(services)) {
        const refused = await call(path, { method: 'PATCH' });
        assert.match(refused.headers.get('allow') ?? '', /(GET|POST|DELETE).*OPTIONS/, path);
        await problem(refused, 405, 'method_not_allowed');
      }
    });

    it('answers OPTIONS with the methods alone', async () => {
      const response = await call('/check/batch', { method: 'OPTIONS' });
      assert.equal(response.status, 204);
      assert.equal(response.headers.get('allow'), 'POST, OPTIONS');
    });

    it('answers HEAD as GET without the body', async () => {
      const response = await call('/health', { method: 'HEAD' });
      assert.equal(response.status, 200);
      assert.equal(await response.text(), '');
      assert.ok(Number(response.headers.get('content-length')) > 0);
    });

    it('takes a request target in absolute form', async () => {
      const { status } = await sendRaw(
        port,
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
          port,
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
      const { status, text } = await sendRaw(port, head, (text) => text.includes('}'));
      assert.equal(status, 401);
      assert.match(text, /WWW-Authenticate: Bearer/i);
    });

    for (const authorization of ['', 'Bearer', 'Basic abc', 'Bearer a b', `bearer${STUB_KEY}`]) {
      it(`are missing in \`Authorization: ${authorization}\``, async () => {
        const response = await call('/check', {
          method: 'POST',
          headers: { ...JSON_HEADERS, Authorization: authorization },
          body: '{}',
        });
        await problem(response, 401, 'unauthenticated');
      });
    }

    it('may not be sent twice', async () => {
      const { status } = await sendRaw(
        port,
        `POST /check HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${STUB_KEY}\r\nAuthorization: Bearer b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
      );
      assert.equal(status, 400);
    });
  });

  describe('bodies', () => {
    for (const type of [
      'application/json',
      'application/json; charset=utf-8',
      'Application/JSON;charset="UTF-8"',
    ]) {
      it(`are read as ${type}`, async () => {
        assert.equal((await postCheck('{}', { 'Content-Type': type })).status, 200);
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
        const response = await postCheck('{}', { 'Content-Type': type });
        await problem(response, 415, 'unsupported_media_type');
      });
    }

    it('are refused when they are compressed', async () => {
      const response = await postCheck('{}', { 'Content-Encoding': 'gzip' });
      await problem(response, 415, 'unsupported_media_type');
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
          await problem(await post(path, body), 400, 'invalid_request');
        });
      }
    }

    it('name the place of what is refused', async () => {
      const response = await postCheck('{"context":{"a":["\\u0000"]}}');
      const { errors } = await problem(response, 400, 'invalid_request');
      assert.deepEqual(errors?.[0]?.path, '/context/a/0');
    });

    it('are refused over 1 MiB, by what is announced', async () => {
      await problem(
        await postCheck(`{"a":"${'x'.repeat(1024 * 1024)}"}`),
        413,
        'payload_too_large',
      );
    });

    it('are refused over 1 MiB, by what arrives', async () => {
      const chunk = `${(65536).toString(16)}\r\n${'x'.repeat(65536)}\r\n`;
      const { status, text } = await sendRaw(
        port,
        `POST /check HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${STUB_KEY}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n${chunk.repeat(40)}0\r\n\r\n`,
      );
      assert.equal(status, 413);
      assert.match(text, /Connection: close/i);
    });

    it('of exactly 1 MiB are read', async () => {
      const response = await postCheck(`{"a":"${'x'.repeat(1024 * 1024 - 8)}"}`);
      assert.equal(response.status, 200);
    });

    it('are asked for with 100 Continue only once the credential is known', async () => {
      const head = (key: string) =>
        `POST /check HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key}\r\nContent-Type: application/json\r\nContent-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n`;
      const refused = await sendRaw(port, head('nonsense'));
      assert.equal(refused.status, 401);
      const asked = await sendRaw(port, head(STUB_KEY), (text) => text.includes('100 Continue'));
      assert.equal(asked.status, 100);
    });

    it('that end too early get no answer and harm nobody', async () => {
      const socket = connect(port, '127.0.0.1');
      socket.write(
        `POST /check HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${STUB_KEY}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"a"`,
      );
      await new Promise<void>((resolve) => socket.end(() => resolve()));
      await new Promise((resolve) => socket.once('close', resolve).resume());
      assert.equal((await postCheck('{}')).status, 200);
    });
  });

  describe('what is no HTTP', () => {
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
        const { status, body, text } = await sendRaw(port, bytes);
        assert.equal(status, 400, text);
        assert.equal(JSON.parse(body).code, 'invalid_request');
        assert.match(text, /Connection: close/);
      });
    }

    it('gets one in the middle of a body too', async () => {
      const { status } = await sendRaw(
        port,
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
          const { text } = await sendRaw(port, bytes);
          assert.deepEqual(statusesOf(text), statuses);
        });
      }

      it('waits for an answer that takes time', async () => {
        let release: (() => void) | undefined;
        const asked = new Promise<void>((resolve) => {
          answerCheck = () => {
            resolve();
            return new Promise((answer) => {
              release = () => answer({ body: DECIDED });
            });
          };
        });
        const socket = connect(port, '127.0.0.1');
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

  describe('errors', () => {
    it('of its own kind are told', async () => {
      answerCheck = async () => {
        throw new NotFound('nothing of that name');
      };
      const { detail } = await problem(await postCheck('{}'), 404, 'not_found');
      assert.equal(detail, 'nothing of that name');
    });

    it('of any other kind say nothing, and are logged with the request id', async () => {
      const cause = new Error('SELECT secret FROM api_keys');
      answerCheck = async () => {
        throw cause;
      };
      const response = await postCheck('{}');
      const told = await problem(response, 500, 'internal_error');
      assert.ok(!JSON.stringify(told).includes('secret'));
      const line = log.lines.find(({ level }) => level === 'error');
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
        answerCheck = async () => {
          throw error;
        };
        const response = await postCheck('{}');
        assert.equal(response.headers.get('retry-after'), '1');
        await problem(response, 503, 'unavailable');
      });
    }
  });

  describe('what does not end', () => {
    it('is answered all the same: try again, or look whether it was done', async function () {
      this.timeout(15_000);
      const never = (): Promise<never> => new Promise(() => {});
      const slow = createApp({ ...services, keys: { create: never, list: never, revoke: never } });
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
        const response = await call(`/v1/approvals?${query}`, { headers: JSON_HEADERS });
        const { errors } = await problem(response, 400, 'invalid_request');
        assert.equal(errors?.[0]?.path, path);
      });
    }

    for (const query of ['status=%', 'status=%ff', 'after=a%00b', 'after=%0a']) {
      it(`are refused: ${query}`, async () => {
        const response = await call(`/v1/approvals?${query}`, { headers: JSON_HEADERS });
        await problem(response, 400, 'invalid_request');
      });
    }

    it('are refused on a path that takes none', async () => {
      const response = await call('/check?x=1', {
        method: 'POST',
        headers: JSON_HEADERS,
        body: '{}',
      });
      await problem(response, 400, 'invalid_request');
    });
  });

  describe('going down', () => {
    it('closes connections and is no longer ready, and goes on answering', async () => {
      draining = true;
      const answer = await postCheck('{}');
      assert.equal(answer.status, 200);
      assert.equal(answer.headers.get('connection'), 'close');
      await problem(await call('/health/ready'), 503, 'unavailable');
      assert.equal((await call('/health/live')).status, 200);
    });
  });

  it('counts requests by route, never by what a caller made up', async () => {
    await (await call('/nowhere/at/all')).text();
    await (await postCheck('{}')).text();
    const text = await services.metrics.registry.metrics();
    assert.match(text, /countersign_http_requests_total\{[^}]*route="\/check"[^}]*status="200"/);
    assert.match(text, /countersign_http_requests_total\{[^}]*route="unknown"/);
    assert.ok(!text.includes('nowhere'));
  });

  it('says nothing of what it is made of', async () => {
    for (const path of ['/health', '/nowhere']) {
      const { headers } = await call(path);
      assert.equal(headers.get('x-powered-by'), null);
      assert.equal(headers.get('server'), null);
    }
  });
});
