import assert from 'node:assert/strict';
import { allRoutes } from '../../src/http/routes.js';
import { type Documented, loadDocumented } from '../support/openapi.js';
import { type Answered, type TestServer, testServer } from '../support/server.js';
import { stubServices } from '../support/stub-services.js';

const PROD = { type: 'service', id: 'billing', properties: { environment: 'prod' } };
const DEPLOY = {
  tenant: 'acme',
  subject: 'alice',
  action: 'deploy',
  resource: PROD,
  context: { comment: 'CHG-1234 roll back the bad release' },
};

describe('docs/openapi.yaml and the running server', () => {
  let server: TestServer;
  let documented: Documented;
  const seen = new Set<string>();

  before(async () => {
    documented = loadDocumented();
    server = await testServer();
  });
  after(() => server.close());

  /** Calls the server and holds the answer against the document. `path` may have a query. */
  async function call<Body>(
    operation: string,
    params: Record<string, string | number> = {},
    options: Parameters<TestServer['call']>[2] & { query?: string } = {},
  ): Promise<Answered<Body>> {
    const [method = '', template = ''] = operation.split(' ');
    const path = template.replaceAll(/:(\w+)/g, (_, name: string) => String(params[name]));
    const answer = await server.call<Body>(method, `${path}${options.query ?? ''}`, options);
    documented.assertDocumented(operation, answer);
    seen.add(`${operation} ${answer.status}`);
    return answer;
  }

  it('have the same operations', () => {
    const running = allRoutes(stubServices()).map(({ method, path }) => `${method} ${path}`);
    assert.deepEqual([...documented.operations].sort(), running.sort());
  });

  it('agree on checks', async () => {
    const { body } = await call<{ reason: string }>(
      'POST /check',
      {},
      {
        body: { ...DEPLOY, explain: true },
      },
    );
    assert.equal(body.reason, 'approval_required');
    const allowed = { tenant: 'acme', subject: 'bob', action: 'write', resource: 'document:1' };
    await call('POST /check', {}, { body: allowed });
    await call('POST /check', {}, { body: { ...allowed, action: 'fly', explain: true } });
    await call('POST /check', {}, { body: { ...DEPLOY, context: {} } });
    const payroll = { tenant: 'acme', subject: 'dave', action: 'run', resource: 'payroll:march' };
    const night = server.now;
    server.now += 12 * 3_600_000;
    const closed = await call<{ reason: string; retry_at: string }>(
      'POST /check',
      {},
      {
        body: payroll,
      },
    );
    server.now = night;
    assert.equal(closed.body.reason, 'outside_time_window');
    assert.match(closed.body.retry_at, /^2026-03-31T07:00:00/);
    await call(
      'POST /check/batch',
      {},
      {
        body: { checks: [allowed, {}, DEPLOY, { ...allowed, tenant: 7 }] },
      },
    );
    await call('POST /check', {}, { body: { ...allowed, min_revision: 9_999 } });
    await call('POST /check', {}, { body: { ...allowed, explain: 'yes' } });
  });

  it('agree on repetitions with an Idempotency-Key', async () => {
    const body = { tenant: 'acme', subject: 'mona', action: 'export', resource: 'report:q2' };
    const again = (resource: string) =>
      call<{ decision_id: string; code: string; rate_limit: { remaining: number } }>(
        'POST /check',
        {},
        { body: { ...body, resource }, headers: { 'Idempotency-Key': 'export-1' } },
      );
    const first = await again('report:q2');
    const second = await again('report:q2');
    assert.equal(second.text, first.text);
    assert.equal(second.headers.get('x-ratelimit-remaining'), '4');
    const reused = await again('report:q3');
    assert.equal(reused.status, 409);
    assert.equal(reused.body.code, 'idempotency_key_reused');
  });

  it('agree on rate limits, in body and headers', async () => {
    const body = { tenant: 'acme', subject: 'frank', action: 'export', resource: 'report:q1' };
    const headersOf = ({ headers }: Answered) =>
      ['limit', 'remaining', 'reset'].map((name) => headers.get(`x-ratelimit-${name}`));
    const first = await call<{ rate_limit: object }>('POST /check', {}, { body });
    assert.deepEqual(headersOf(first as Answered).slice(0, 2), ['5', '4']);
    for (let spent = 1; spent < 5; spent += 1) await call('POST /check', {}, { body });
    const refused = await call<{ reason: string }>('POST /check', {}, { body });
    assert.equal(refused.body.reason, 'rate_limited');
    assert.equal(headersOf(refused as unknown as Answered)[1], '0');
    assert.ok(Number(refused.headers.get('retry-after')) > 0);
    const unlimited = await call('POST /check', {}, { body: { ...body, action: 'read' } });
    assert.equal(unlimited.headers.get('x-ratelimit-limit'), null);
  });

  it('agree on the life of an approval', async () => {
    const approver = (await server.key(['approver'], { tenant: 'acme', user: 'carol' })).key;
    const open = (id: string) =>
      call<{ id: string }>(
        'POST /v1/approvals',
        {},
        {
          body: { ...DEPLOY, resource: { ...PROD, id } },
        },
      );
    const { body } = await open('one');
    assert.equal((await open('one')).status, 200);
    await call('GET /v1/approvals', {}, { query: '?status=pending&view=all&limit=1' });
    await call('GET /v1/approvals/:id', { id: body.id });
    await call('GET /v1/approvals/:id', { id: 'apr_nope' });
    await call('POST /v1/approvals/:id/approve', { id: body.id });
    await call(
      'POST /v1/approvals/:id/approve',
      { id: body.id },
      {
        key: approver,
        body: { comment: 'go' },
      },
    );
    await call('POST /v1/approvals/:id/approve', { id: body.id }, { key: approver });
    await call('GET /v1/approvals/:id', { id: body.id });
    const used = await call<{ reason: string }>(
      'POST /check',
      {},
      {
        body: { ...DEPLOY, resource: { ...PROD, id: 'one' } },
      },
    );
    assert.equal(used.body.reason, 'granted');
    await call('GET /v1/approvals/:id', { id: body.id });
    await call('POST /v1/approvals/:id/revoke', { id: body.id });

    const rejected = await open('two');
    await call('POST /v1/approvals/:id/reject', { id: rejected.body.id }, { key: approver });
    const cancelled = await open('three');
    await call('POST /v1/approvals/:id/cancel', { id: cancelled.body.id });
    const revoked = await open('four');
    await call('POST /v1/approvals/:id/approve', { id: revoked.body.id }, { key: approver });
    await call('POST /v1/approvals/:id/revoke', { id: revoked.body.id });

    const needless = { tenant: 'acme', subject: 'bob', action: 'write', resource: 'document:1' };
    const refused = await call<{ code: string; decision: { allowed: boolean } }>(
      'POST /v1/approvals',
      {},
      { body: needless },
    );
    assert.equal(refused.body.code, 'approval_not_needed');
    assert.equal(refused.body.decision.allowed, true);
    const denied = await call<{ code: string }>(
      'POST /v1/approvals',
      {},
      {
        body: { ...needless, action: 'fly' },
      },
    );
    assert.equal(denied.body.code, 'denied');
  });

  it('agree on bundles', async () => {
    const stored = await call<{ files: Record<string, string> }>('GET /v1/bundles/:number', {
      number: 1,
    });
    const { files } = stored.body;
    await call('POST /v1/bundles', {}, { body: { files } });
    const added = { ...files, 'rules/zoe.csv': 'g, zoe, editor, acme\n' };
    const applied = await call<{ changes: object }>(
      'POST /v1/bundles',
      {},
      {
        body: { files: added, commit: 'abc123', expect_bundle: 1 },
      },
    );
    assert.equal(applied.status, 201);
    assert.deepEqual(applied.body.changes, { added: 1, removed: 0 });
    const moved = await call<{ code: string }>(
      'POST /v1/bundles',
      {},
      {
        body: { files, expect_bundle: 7 },
      },
    );
    assert.equal(moved.body.code, 'bundle_moved');
    await call('GET /v1/bundles', {}, { query: '?limit=1' });
    await call('POST /v1/bundles/:number/activate', { number: 1 });
    await call('POST /v1/bundles/:number/activate', { number: 99 });
    await call('POST /v1/bundles/validate', {}, { body: { files } });
    const faulty = { ...files, 'governance/x.yaml': 'rules: [{}]\n' };
    const refused = await call<{ errors: object[] }>(
      'POST /v1/bundles/validate',
      {},
      {
        body: { files: faulty },
      },
    );
    assert.equal(refused.status, 422);
    assert.ok(refused.body.errors.length > 0);
    await call('POST /v1/bundles', {}, { body: { files: faulty } });
  });

  it('agree on rules', async () => {
    const line = ['p', 'viewer', 'acme', 'memo:*', 'read', 'allow'];
    await call('POST /v1/rules', {}, { body: { tenant: 'acme', add: [line] } });
    const { body } = await call<{ items: { source: object }[] }>(
      'GET /v1/rules',
      {},
      {
        query: '?tenant=acme&ptype=p&subject=viewer&limit=200',
      },
    );
    assert.ok(body.items.some(({ source }) => 'admin' in source));
    assert.ok(body.items.some(({ source }) => 'bundle' in source));
    await call('POST /v1/rules', {}, { body: { remove: [line] } });
    const owned = ['g', 'bob', 'editor', 'acme'];
    const refused = await call<{ code: string }>(
      'POST /v1/rules',
      {},
      {
        body: { remove: [owned] },
      },
    );
    assert.equal(refused.body.code, 'owned_by_bundle');
    await call('POST /v1/rules', {}, { body: { add: [['q', 'x']] } });
  });

  it('agree on keys', async () => {
    const expires_at = '2030-01-01T00:00:00Z';
    const { body } = await call<{ id: string; key: string }>(
      'POST /v1/keys',
      {},
      {
        body: { name: 'k', tenant: 'acme', user: 'zoe', roles: ['auditor'], expires_at },
      },
    );
    assert.match(body.key, /^csk_[\w-]{43}$/);
    const listed = await call('GET /v1/keys', {}, { query: '?tenant=acme&limit=200' });
    assert.ok(!listed.text.includes(body.key));
    await call('DELETE /v1/keys/:id', { id: body.id });
    await call('DELETE /v1/keys/:id', { id: 'root' });
    await call('DELETE /v1/keys/:id', { id: 'key_nope' });
  });

  it('agree on the audit, health and metrics', async () => {
    await call(
      'GET /v1/audit',
      {},
      {
        query: '?tenant=acme&from=2026-01-01T00:00:00Z&to=2036-01-01T00:00:00%2B01:00&limit=200',
      },
    );
    await call('GET /v1/audit', {}, { query: '?from=2026-02-31T00:00:00Z' });
    await call('GET /health', {}, { key: '' });
    await call('GET /health/ready', {}, { key: '' });
    await call('GET /health/live', {}, { key: '' });
    await call('GET /metrics');
    await call('GET /metrics', {}, { key: '' });
  });

  it('agree on a server that is going down', async () => {
    server.running.drain();
    const ready = await call('GET /health/ready', {}, { key: '' });
    assert.equal(ready.status, 503);
    assert.equal(ready.headers.get('connection'), 'close');
  });

  it('were compared in every success that is documented', () => {
    assert.deepEqual(
      [...documented.successes].filter((success) => !seen.has(success)),
      [],
    );
  });
});
