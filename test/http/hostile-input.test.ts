import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Route } from '../../src/http/route.js';
import { allRoutes } from '../../src/http/routes.js';
import { type Documented, loadDocumented } from '../support/openapi.js';
import { sendRaw } from '../support/raw-http.js';
import { type Answered, type TestServer, testServer } from '../support/server.js';
import { stubServices } from '../support/stub-services.js';

/** Nobody may do this: however it is bent, the answer must not be an allow. */
const CHECK = { tenant: 'acme', subject: 'nobody', action: 'write', resource: 'document:1' };

/** A body for each route that takes one, to be bent out of shape. */
const BODIES: Readonly<Record<string, Record<string, unknown>>> = {
  'POST /check': {
    ...CHECK,
    context: { comment: 'x' },
    explain: true,
    dry_run: false,
    min_revision: 0,
  },
  'POST /check/batch': { checks: [CHECK], defaults: { context: {} }, min_revision: 0 },
  'POST /v1/bundles': { files: { 'bundle.yaml': 'name: x' }, commit: 'abc', expect_bundle: 1 },
  'POST /v1/bundles/validate': { files: { 'bundle.yaml': 'name: x' } },
  'POST /v1/bundles/:number/activate': {},
  'POST /v1/rules': {
    tenant: 'acme',
    add: [['p', 'x', 'globex', 'y', 'z', 'allow']],
    remove: [['p', 'x', 'acme', 'y', 'z', 'allow']],
  },
  'POST /v1/approvals': CHECK,
  'POST /v1/approvals/:id/approve': { comment: 'x' },
  'POST /v1/approvals/:id/reject': { comment: 'x' },
  'POST /v1/approvals/:id/cancel': { comment: 'x' },
  'POST /v1/approvals/:id/revoke': { comment: 'x' },
  'POST /v1/keys': { name: 'x', tenant: 'acme', user: 'u', roles: ['monitor'], expires_at: 'x' },
};

/** Bodies that no endpoint reads, as they go over the wire, and why. */
const UNREADABLE: readonly (readonly [string, string | Buffer])[] = [
  ['cut', '{"a":'],
  ['an array', '[]'],
  ['null', 'null'],
  ['a text', '"{}"'],
  ['two documents', '{}{}'],
  ['JSON with a comma too many', '{"a":1,}'],
  ['single quotes', "{'a':1}"],
  ['NaN', '{"a":NaN}'],
  ['a number beyond doubles', '{"a":1e999}'],
  ['a huge number', `{"a":${'9'.repeat(400)}}`],
  ['nested 33 deep', `${'{"a":'.repeat(33)}1${'}'.repeat(33)}`],
  ['nested 100,000 deep', `{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`],
  ['a __proto__ member', '{"__proto__":{"allowed":true}}'],
  ['an inner __proto__ member', '{"context":{"a":[{"__proto__":1}]}}'],
  ['an escaped __proto__ member', '{"\\u005f_proto__":1}'],
  ['NUL', '{"a":"\\u0000"}'],
  ['NUL in a name', '{"a\\u0000":1}'],
  ['a raw NUL', '{"a":"\0"}'],
  ['a raw line feed', '{"a":"\n"}'],
  ['a lone high surrogate', '{"a":"\\ud83d"}'],
  ['a lone low surrogate in a name', '{"\\udc00":1}'],
  ['surrogates the wrong way round', '{"a":"\\udc00\\ud83d"}'],
  ['Latin-1', Buffer.from('{"a":"\u00e9"}', 'latin1')],
  ['an overlong encoding', Buffer.from([0x7b, 0x22, 0xc0, 0xaf, 0x22, 0x3a, 0x31, 0x7d])],
  ['surrogates as UTF-8', Buffer.from([0x7b, 0x22, 0xed, 0xa0, 0x80, 0x22, 0x3a, 0x31, 0x7d])],
  ['UTF-16', Buffer.from('\ufeff{}', 'utf16le')],
];

/** What a member may be replaced with; JSON all of it. */
const STRANGE: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1.5,
  1e308,
  -0,
  Number.MAX_SAFE_INTEGER + 2,
  '',
  ' ',
  '*',
  ':',
  '\n',
  '\u007f',
  '\u202egnp',
  '\u{1f600}'.repeat(200),
  'x'.repeat(20_000),
  "' OR 1=1 --",
  'constructor',
  '__proto__',
  'toString',
  '../../etc/passwd',
  '${7*7}{{7*7}}',
  [],
  [[]],
  [null],
  [['p']],
  [[[]]],
  ['x'.repeat(20_000), 1],
  Array.from({ length: 3_000 }, () => 'x'),
  {},
  { a: null },
  { constructor: { prototype: { allowed: true } } },
  { toString: 1, valueOf: 1, hasOwnProperty: 1 },
  { type: 'user', id: '*', properties: { role: 'admin' } },
  { '../x': 'y', '/etc/x': 'y', 'a\\b': 'y', 'C:x': 'y', '': 'y' },
  { 'bundle.yaml': 'a: &a [*a]', 'rules/x.csv': 'p,,,,', 'governance/x.yaml': '{{{' },
  Object.fromEntries(Array.from({ length: 3_000 }, (_, index) => [`m${index}`, index])),
];

const SEGMENTS = [
  '%',
  '%2',
  '%zz',
  '%ff',
  '%c0%af',
  '%ed%a0%80',
  '%00',
  'a%00b',
  '%0a',
  '%7f',
  '..',
  '%2e%2e',
  '..%2f..',
  '%2f',
  '%5c',
  "';--",
  '%27%20OR%201=1',
  '__proto__',
  'constructor',
  '0',
  '-1',
  '1e3',
  '1.0',
  '01',
  '0x1',
  '9'.repeat(40),
  'x'.repeat(6_000),
  '%F0%9F%98%80',
  '{id}',
  ':id',
  '*',
];

const QUERIES = [
  '?',
  '??',
  '?&&&',
  '?=',
  '?=x',
  '?x',
  '?%',
  '?limit=%ff',
  '?limit=',
  '?limit=-1',
  '?limit=0',
  '?limit=1.5',
  '?limit=NaN',
  '?limit=1e999',
  '?limit=99999999999999999999',
  '?limit=1&limit=2',
  '?limit[]=1',
  '?limit[$gt]=1',
  '?after=',
  '?after=%00',
  "?after='",
  '?after=-1',
  '?after=99999999999999999999999999',
  '?after=999999999',
  '?after=a999999999999999',
  '?after=b999999999999999',
  '?after=key_zzz',
  '?after=apr_zzz',
  '?tenant=',
  '?tenant=*',
  '?tenant=ACME',
  '?tenant[]=acme',
  '?tenant=acme&tenant=globex',
  '?subject=%',
  '?subject=%27%3B--',
  '?subject=%F0%9F%98%80',
  `?subject=${'x'.repeat(4_000)}`,
  '?ptype=p&subject=%25',
  '?status=open',
  '?view=everything',
  '?from=yesterday',
  '?from=2026-99-99T99:99:99Z',
  '?from=9999-12-31T23:59:59Z',
  '?to=0000-01-01T00:00:00Z',
  '?kind=x&actor=y&action=z&decision=allow',
  '?decision=maybe',
  '?__proto__=1',
  '?__proto__[allowed]=true',
  '?constructor.prototype.allowed=true',
  '?hasOwnProperty=1',
  `?${'x=1&'.repeat(1_000)}`,
];

const routes = allRoutes(stubServices());
const nameOf = ({ method, path }: Route): string => `${method} ${path}`;
const withBody = routes.filter((route) => route.access === 'caller' && route.body !== undefined);

describe('hostile input', function () {
  this.timeout(60_000);
  let server: TestServer;
  let documented: Documented;

  before(async () => {
    documented = loadDocumented();
    server = await testServer();
  });
  afterEach(() => {
    const failures = server.log.filter((line) => line.includes('request failed'));
    assert.deepEqual(failures, []);
  });
  after(async () => {
    const { status, body } = await server.call('POST', '/check', { body: CHECK });
    assert.equal(status, 200);
    assert.equal(body.decision, 'deny');
    await server.close();
  });

  const pathOf = ({ path }: Route): string =>
    path.replace(':number', '1').replace(':id', 'apr_nope');

  async function send(
    route: Route,
    body: string | Buffer,
    path = pathOf(route),
  ): Promise<Answered> {
    const response = await fetch(`${server.url}${path}`, {
      method: route.method,
      headers: { Authorization: `Bearer ${server.rootKey}`, 'Content-Type': 'application/json' },
      body,
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, body: JSON.parse(text) };
  }

  /** Documented, no fault of the server's, and no allow anywhere in it. */
  function assertHarmless(route: Route, answer: Answered, what: string): void {
    assert.ok(answer.status < 500 || answer.status === 503, `${what}: ${answer.text}`);
    assert.ok(!/"allowed":true|"decision":"allow"/.test(answer.text), `${what}: ${answer.text}`);
    documented.assertDocumented(nameOf(route), answer);
  }

  it('is tried on every endpoint that takes a body', () => {
    assert.deepEqual(withBody.map(nameOf).sort(), Object.keys(BODIES).sort());
  });

  for (const route of withBody) {
    describe(`as the body of ${nameOf(route)}`, () => {
      const body = BODIES[nameOf(route)] ?? {};

      it('is refused where it cannot be read', async () => {
        for (const [what, bytes] of UNREADABLE) {
          const answer = await send(route, bytes);
          assert.equal(answer.status, 400, `${what}: ${answer.text}`);
          assertHarmless(route, answer, what);
        }
      });

      it('is refused with a member that is not known', async () => {
        for (const name of ['x', '', 'constructor', 'toString', '\u{1f600}', 'allowed']) {
          const answer = await send(route, JSON.stringify({ ...body, [name]: true }));
          assert.equal(answer.status, 400, `${name}: ${answer.text}`);
          const errors = answer.body.errors as { path: string }[];
          assert.ok(
            errors.some(({ path }) => path === `/${name}`),
            answer.text,
          );
        }
      });

      it('does no harm with any of its members bent', async () => {
        for (const member of Object.keys(body)) {
          for (const value of STRANGE) {
            const bent = JSON.stringify({ ...body, [member]: value });
            assertHarmless(route, await send(route, bent), bent.slice(0, 300));
          }
        }
      });

      it('does no harm whatever it is', async () => {
        const anything = fc.oneof(
          fc.jsonValue({ maxDepth: 4 }),
          fc.dictionary(fc.constantFrom(...Object.keys(body), 'x'), fc.jsonValue({ maxDepth: 3 })),
        );
        await fc.assert(
          fc.asyncProperty(anything, async (value) => {
            const text = JSON.stringify(value);
            assertHarmless(route, await send(route, text), text);
          }),
          { numRuns: 12 },
        );
      });

      it('is refused when it is too large', async () => {
        const limit = route.access === 'caller' ? (route.body?.limit ?? 0) : 0;
        const { status, body: answer } = await tooLarge(nameOf(route), pathOf(route), limit);
        assert.equal(status, 413);
        assert.equal(JSON.parse(answer).code, 'payload_too_large');
      });

      it('is bounded in what it is told of', async () => {
        const many = Object.fromEntries(Array.from({ length: 20_000 }, (_, n) => [`m${n}`, 1]));
        const answer = await send(route, JSON.stringify(many));
        assert.equal(answer.status, 400);
        assert.ok(answer.text.length < 20_000);
      });
    });
  }

  function tooLarge(operation: string, path: string, limit: number) {
    const [method] = operation.split(' ');
    return sendRaw(
      server.port,
      `${method} ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${server.rootKey}\r\n` +
        `Content-Type: application/json\r\nContent-Length: ${limit + 1}\r\n\r\n{`,
      (text) => text.endsWith('}'),
    );
  }

  describe('in the path', () => {
    for (const route of routes.filter(({ path }) => path.includes(':'))) {
      it(`of ${nameOf(route)} names nothing`, async () => {
        for (const segment of SEGMENTS) {
          const path = route.path.replace(/:\w+/, segment);
          const { status, text, body } = await sendRaw(
            server.port,
            `${route.method} ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${server.rootKey}\r\nConnection: close\r\n\r\n`,
          );
          assert.ok([400, 404].includes(status), `${path}: ${text}`);
          assert.ok(['invalid_request', 'not_found'].includes(JSON.parse(body).code), path);
        }
      });
    }
  });

  describe('in the query', () => {
    for (const route of routes.filter(({ method }) => method === 'GET')) {
      it(`of ${nameOf(route)} does no harm`, async () => {
        for (const query of QUERIES) {
          const answer = await server.call('GET', `${pathOf(route)}${query}`);
          assert.ok(answer.status < 500, `${query}: ${answer.text}`);
          documented.assertDocumented(nameOf(route), answer);
        }
      });
    }
  });

  describe('in the headers', () => {
    const raw = (headers: readonly string[]) =>
      sendRaw(
        server.port,
        Buffer.from(
          ['POST /check HTTP/1.1', 'Host: x', 'Content-Length: 2', 'Connection: close', ...headers]
            .join('\r\n')
            .concat('\r\n\r\n{}'),
          'latin1',
        ),
      );
    const json = 'Content-Type: application/json';

    for (const value of [
      'Bearer',
      'Bearer ',
      'Bearer  ',
      'Bearer null',
      'Bearer undefined',
      'Bearer csk_',
      `Bearer csk_${'A'.repeat(43)}`,
      `Bearer ${'x'.repeat(12_000)}`,
      'Bearer \u00ff\u00fe',
      'Basic cm9vdDpyb290',
      'Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJyb290In0.',
      'Bearer __proto__',
      'Bearer constructor',
      '\t',
    ]) {
      it(`is nobody's credential: ${value.slice(0, 40)}`, async () => {
        const { status, body } = await raw([json, `Authorization: ${value}`]);
        assert.equal(status, 401);
        assert.equal(JSON.parse(body).code, 'unauthenticated');
      });
    }

    it('is refused where it says who calls twice', async () => {
      const good = `Authorization: Bearer ${server.rootKey}`;
      for (const second of [good, 'Authorization: Bearer x', 'authorization: x']) {
        assert.equal((await raw([json, good, second])).status, 400);
      }
    });

    it('is refused as an Idempotency-Key', async () => {
      const good = `Authorization: Bearer ${server.rootKey}`;
      for (const key of ['', 'a b', '\u00ff', 'x'.repeat(256)]) {
        const response = await raw([json, good, `Idempotency-Key: ${key}`]);
        assert.equal(response.status, 400, key);
      }
    });

    it('is never echoed as a request id', async () => {
      for (const id of ['a b', '\u00ff', 'x'.repeat(129), '']) {
        const { text } = await raw([json, `X-Request-Id: ${id}`]);
        assert.match(text, /X-Request-Id: req_[0-9a-f-]{36}\r\n/);
      }
    });
  });

  it('never reaches the log as it was sent', async () => {
    await server.call('GET', '/%3Cscript%3E', { headers: { 'X-Request-Id': 'harmless' } });
    await server.call('POST', '/check', { key: 'csk_secret-of-somebody', body: CHECK });
    const log = server.log.join('');
    assert.ok(log.includes('harmless'));
    assert.ok(!log.includes('script') && !log.includes('secret-of-somebody'));
    assert.ok(!log.includes(server.rootKey));
  });
});
