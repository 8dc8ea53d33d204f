import assert from 'node:assert/strict';
import type { GuardedRoute } from '../../src/http/route.js';
import { allRoutes } from '../../src/http/routes.js';
import { loadDocumented } from '../support/openapi.js';
import { type TestServer, testServer } from '../support/server.js';
import { stubServices } from '../support/stub-services.js';
import { postgresProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';

const DEPLOY = {
  tenant: 'acme',
  subject: 'alice',
  action: 'deploy',
  resource: { type: 'service', id: 'billing', properties: { environment: 'prod' } },
  context: { comment: 'CHG-1234 roll back' },
};
const EXPORT = { tenant: 'acme', subject: 'mona', action: 'export', resource: 'report:q1' };

/** A request to each endpoint that cannot do without Postgres. */
const BODIES: Readonly<Record<string, object>> = {
  'POST /check': DEPLOY,
  'POST /check/batch': { checks: [DEPLOY, EXPORT] },
  'POST /v1/approvals': DEPLOY,
  'POST /v1/rules': { add: [['p', 'viewer', 'acme', 'memo:*', 'read', 'allow']] },
  'POST /v1/keys': { name: 'x', roles: [] },
};

describe('while Postgres is away', () => {
  const documented = loadDocumented();
  let proxy: TcpProxy;
  let server: TestServer;
  let files: object;

  before(async () => {
    const reach = async (databaseUrl: string): Promise<string> => {
      const proxied = await postgresProxy(databaseUrl);
      proxy = proxied.proxy;
      return proxied.url;
    };
    server = await testServer({}, { reach });
    const { body } = await server.call<{ files: object }>('GET', '/v1/bundles/1');
    files = { ...body.files, 'rules/zoe.csv': 'g, zoe, editor, acme\n' };
    await proxy.cut();
  });
  after(async () => {
    await server.close();
    await proxy.cut();
  });

  const guarded = allRoutes(stubServices()).filter(
    (route): route is GuardedRoute => route.access === 'caller' && route.path !== '/metrics',
  );
  for (const { method, path } of guarded) {
    it(`${method} ${path} answers 503`, async () => {
      const body = path.startsWith('/v1/bundles') ? { files } : BODIES[`${method} ${path}`];
      const bodyless = method === 'GET' || path.includes(':');
      const answer = await server.call<{
        code: string;
        results?: { error?: { code: string } }[];
      }>(method, path.replace(':number', '1').replace(':id', `apr_${'0'.repeat(32)}`), {
        body: bodyless ? undefined : body,
      });
      documented.assertDocumented(`${method} ${path}`, answer);
      if (path === '/check/batch') {
        assert.deepEqual(
          answer.body.results?.map(({ error }) => error?.code),
          ['unavailable', 'unavailable'],
        );
        return;
      }
      assert.equal(answer.status, 503, answer.text);
      assert.equal(answer.body.code, 'unavailable');
      assert.ok(Number(answer.headers.get('retry-after')) >= 1);
    });
  }

  it('says so to monitors, and which store it is', async () => {
    const { status, body } = await server.call<{
      checks: Record<string, { status: string }>;
    }>('GET', '/health', { key: '' });
    assert.equal(status, 503);
    assert.equal(body.checks.database?.status, 'failed');
    assert.equal(body.checks.policy?.status, 'ok');
  });

  it('still answers what needs no store', async () => {
    const check = { tenant: 'acme', subject: 'bob', action: 'fly', resource: 'document:1' };
    const { status, body } = await server.call('POST', '/check', { body: check });
    assert.equal(status, 200);
    assert.equal(body.reason, 'no_matching_rule');
    assert.equal((await server.call('GET', '/health/ready', { key: '' })).status, 200);
  });

  it('logs no failure of its own', () => {
    assert.deepEqual(
      server.log.filter((line) => line.includes('request failed')),
      [],
    );
  });

  it('goes on once Postgres is back', async () => {
    await proxy.mend();
    const ask = () => server.call('POST', '/check', { body: EXPORT });
    const { body } = await until(ask, ({ status }) => status === 200);
    assert.equal(body.decision, 'allow');
  });
});
