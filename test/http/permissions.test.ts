import assert from 'node:assert/strict';
import { SYSTEM_ROLES, type SystemRole } from '../../src/identity/system-roles.js';
import { allRoutes } from '../../src/http/routes.js';
import { stubServices } from '../support/stub-services.js';
import { type TestServer, testServer } from '../support/server.js';

interface Request {
  readonly method: string;
  readonly path: string;
  readonly body?: object;
}

/** One endpoint with a request that only permissions can keep from going through. */
interface Row {
  readonly name: string;
  /** `tenant`: as a caller without a tenant must name it. `fresh`: the id of a new pending approval. */
  request(given: { tenant: object; fresh: () => Promise<string> }): Request | Promise<Request>;
  /** The status for each role; roles left out get `others`. */
  readonly roles: Partial<Record<SystemRole, number>>;
  readonly others: number;
  /** Whether credentials that are bound to a tenant are refused whatever their role. */
  readonly unboundOnly?: boolean;
}

const CHECK = { subject: 'bob', action: 'write', resource: 'document:1' };
const NEEDS_APPROVAL = {
  subject: 'alice',
  action: 'deploy',
  context: { comment: 'CHG-1234 roll back' },
};

/** Roles that no key of a tenant can be given: they would give it nothing. */
const USELESS_IN_A_TENANT: readonly SystemRole[] = ['policy_author'];

/** All roles that may, with the same status. */
function each(status: number, ...roles: SystemRole[]): Partial<Record<SystemRole, number>> {
  return Object.fromEntries(roles.map((role) => [role, status]));
}

function step(verb: string, roles: Row['roles']): Row {
  return {
    name: `POST /v1/approvals/:id/${verb}`,
    request: async ({ fresh }) => ({
      method: 'POST',
      path: `/v1/approvals/${await fresh()}/${verb}`,
    }),
    roles,
    others: 403,
  };
}

/** Section 7 of the contract, endpoint by endpoint. */
function rows(files: object): Row[] {
  return [
    {
      name: 'POST /check about others',
      request: ({ tenant }) => ({ method: 'POST', path: '/check', body: { ...tenant, ...CHECK } }),
      roles: each(200, 'platform_admin', 'tenant_admin', 'tenant_operator', 'service'),
      others: 403,
    },
    {
      name: 'POST /check with dry_run',
      request: ({ tenant }) => ({
        method: 'POST',
        path: '/check',
        body: { ...tenant, ...CHECK, dry_run: true },
      }),
      roles: each(
        200,
        'platform_admin',
        'tenant_admin',
        'tenant_operator',
        'service',
        'policy_author',
      ),
      others: 403,
    },
    {
      // Who may ask about nobody gets an answer that says so, item by item.
      name: 'POST /check/batch',
      request: () => ({ method: 'POST', path: '/check/batch', body: { checks: [] } }),
      roles: {},
      others: 200,
    },
    {
      name: 'POST /v1/bundles',
      request: () => ({ method: 'POST', path: '/v1/bundles', body: { files } }),
      roles: each(200, 'platform_admin', 'policy_author'),
      others: 403,
      unboundOnly: true,
    },
    {
      name: 'POST /v1/bundles/validate',
      request: () => ({ method: 'POST', path: '/v1/bundles/validate', body: { files: {} } }),
      roles: each(422, 'platform_admin', 'policy_author'),
      others: 403,
      unboundOnly: true,
    },
    {
      name: 'POST /v1/bundles/:number/activate',
      request: () => ({ method: 'POST', path: '/v1/bundles/1/activate' }),
      roles: each(200, 'platform_admin', 'policy_author'),
      others: 403,
      unboundOnly: true,
    },
    ...['/v1/bundles', '/v1/bundles/:number'].map(
      (path): Row => ({
        name: `GET ${path}`,
        request: () => ({ method: 'GET', path: path.replace(':number', '1') }),
        roles: each(200, 'platform_admin', 'policy_author'),
        others: 403,
        unboundOnly: true,
      }),
    ),
    {
      name: 'GET /v1/rules',
      request: () => ({ method: 'GET', path: '/v1/rules?limit=1' }),
      roles: each(
        200,
        'platform_admin',
        'policy_author',
        'tenant_admin',
        'tenant_operator',
        'auditor',
      ),
      others: 403,
    },
    {
      name: 'POST /v1/rules',
      request: ({ tenant }) => ({
        method: 'POST',
        path: '/v1/rules',
        body: { ...tenant, remove: [['p', 'nobody', 'acme', 'x', 'y', 'allow']] },
      }),
      roles: each(200, 'platform_admin', 'tenant_admin'),
      others: 403,
    },
    {
      name: 'POST /v1/approvals',
      request: ({ tenant }) => ({
        method: 'POST',
        path: '/v1/approvals',
        body: { ...tenant, ...CHECK },
      }),
      roles: each(409, 'platform_admin', 'tenant_admin', 'tenant_operator', 'service'),
      others: 403,
    },
    {
      name: 'GET /v1/approvals',
      request: () => ({ method: 'GET', path: '/v1/approvals' }),
      roles: {},
      others: 200,
    },
    {
      name: 'GET /v1/approvals/:id',
      request: async ({ fresh }) => ({ method: 'GET', path: `/v1/approvals/${await fresh()}` }),
      roles: each(200, 'platform_admin', 'tenant_admin', 'tenant_operator', 'auditor', 'approver'),
      others: 404,
    },
    step('approve', { approver: 200 }),
    step('reject', { approver: 200 }),
    step('cancel', each(200, 'platform_admin', 'tenant_admin')),
    // It is pending still: who may revoke learns that there is nothing to revoke.
    step('revoke', each(409, 'platform_admin', 'tenant_admin', 'approver')),
    {
      name: 'POST /v1/keys',
      request: ({ tenant }) => ({
        method: 'POST',
        path: '/v1/keys',
        body: { ...tenant, name: 'made in a test', roles: [] },
      }),
      roles: each(201, 'platform_admin', 'tenant_admin'),
      others: 403,
    },
    {
      name: 'GET /v1/keys',
      request: () => ({ method: 'GET', path: '/v1/keys' }),
      roles: each(200, 'platform_admin', 'tenant_admin'),
      others: 403,
    },
    {
      name: 'DELETE /v1/keys/:id',
      request: () => ({ method: 'DELETE', path: '/v1/keys/key_0' }),
      roles: each(404, 'platform_admin', 'tenant_admin'),
      others: 403,
    },
    {
      name: 'GET /v1/audit',
      request: () => ({ method: 'GET', path: '/v1/audit' }),
      roles: each(200, 'platform_admin', 'tenant_admin', 'auditor'),
      others: 403,
    },
    {
      name: 'GET /metrics',
      request: () => ({ method: 'GET', path: '/metrics' }),
      roles: each(200, 'platform_admin', 'tenant_admin', 'auditor', 'monitor'),
      others: 403,
    },
  ];
}

describe('permissions over HTTP', () => {
  let server: TestServer;
  let table: Row[];
  let opened = 0;

  const fresh = async (): Promise<string> => {
    opened += 1;
    const resource = { type: 'service', id: `s${opened}`, properties: { environment: 'prod' } };
    const { status, body, text } = await server.call<{ id: string }>('POST', '/v1/approvals', {
      body: { tenant: 'acme', ...NEEDS_APPROVAL, resource },
    });
    assert.equal(status, 201, text);
    return body.id;
  };

  before(async () => {
    server = await testServer();
    const { body } = await server.call<{ files: object }>('GET', '/v1/bundles/1');
    table = rows(body.files);
  });
  after(() => server.close());

  it('are shown for every endpoint that has any', () => {
    const guarded = allRoutes(stubServices()).filter(({ access }) => access === 'caller');
    const shown = new Set(table.map(({ name }) => name.replace(/ (about|with) .*/, '')));
    assert.deepEqual(
      [...shown].sort(),
      guarded.map(({ method, path }) => `${method} ${path}`).sort(),
    );
  });

  async function differences(key: string, expected: (row: Row) => number, tenant: object) {
    const found: string[] = [];
    for (const row of table) {
      const { method, path, body } = await row.request({ tenant, fresh });
      const { status, text } = await server.call(method, path, { key, body });
      if (status !== expected(row))
        found.push(`${row.name}: ${status}, not ${expected(row)}: ${text}`);
    }
    return found;
  }

  for (const role of SYSTEM_ROLES) {
    it(`are those of \`${role}\` everywhere, without a tenant`, async () => {
      const { key } = await server.key([role]);
      const expected = (row: Row): number => row.roles[role] ?? row.others;
      assert.deepEqual(await differences(key, expected, { tenant: 'acme' }), []);
    });

    if (USELESS_IN_A_TENANT.includes(role)) continue;

    it(`are those of \`${role}\` in its tenant`, async () => {
      const { key } = await server.key([role], { tenant: 'acme' });
      const expected = (row: Row): number =>
        row.unboundOnly === true ? 403 : (row.roles[role] ?? row.others);
      assert.deepEqual(await differences(key, expected, {}), []);
    });
  }

  it('of a tenant are given to its monitors and auditors by its own admin', async () => {
    const { key } = await server.key(['tenant_admin'], { tenant: 'acme' });
    for (const role of ['monitor', 'auditor']) {
      const body = { name: role, roles: [role] };
      const made = await server.call<{ key: string; tenant: string }>('POST', '/v1/keys', {
        key,
        body,
      });
      assert.equal(made.status, 201, made.text);
      assert.equal(made.body.tenant, 'acme');
      const { status, text } = await server.call('GET', '/metrics', { key: made.body.key });
      assert.equal(status, 200, role);
      assert.doesNotMatch(text, /acme/, 'metrics tell of no tenant');
    }
  });

  it('are none for a key without roles', async () => {
    const { key } = await server.key([]);
    assert.deepEqual(await differences(key, (row) => row.others, { tenant: 'acme' }), []);
  });

  it('are none without a credential', async () => {
    for (const row of table) {
      const { method, path, body } = await row.request({ tenant: { tenant: 'acme' }, fresh });
      const { status, body: problem } = await server.call(method, path, { key: '', body });
      assert.equal(status, 401, row.name);
      assert.equal(problem.code, 'unauthenticated', row.name);
    }
  });

  it('end with the key, at once', async () => {
    const { id, key } = await server.key(['auditor']);
    assert.equal((await server.call('GET', '/v1/audit', { key })).status, 200);
    assert.equal((await server.call('DELETE', `/v1/keys/${id}`)).status, 200);
    assert.equal((await server.call('GET', '/v1/audit', { key })).status, 401);
  });

  it('are asked for with values that there can be', async () => {
    const created = { name: 'x', roles: [], expires_at: '2027-02-30T00:00:00Z' };
    for (const [method, path, body, at] of [
      ['POST', '/v1/keys', created, '/expires_at'],
      ['GET', '/v1/keys?after=x', undefined, '/after'],
      ['POST', '/v1/bundles', { files: {}, commit: 'a\nb' }, '/commit'],
      ['POST', '/v1/bundles', { files: {}, commit: 'a\u202eb' }, '/commit'],
      ['POST', '/v1/bundles', { files: {}, commit: 'a'.repeat(201) }, '/commit'],
    ] as const) {
      const { status, body: problem } = await server.call<{ errors: { path: string }[] }>(
        method,
        path,
        { body },
      );
      assert.equal(status, 400, `${method} ${path}`);
      assert.equal(problem.errors[0]?.path, at);
    }
  });

  it('end when the key expires', async () => {
    const expires_at = new Date(server.now + 60_000).toISOString();
    const made = await server.call<{ key: string }>('POST', '/v1/keys', {
      body: { name: 'short', roles: ['auditor'], expires_at },
    });
    assert.equal(made.status, 201, made.text);
    const { key } = made.body;
    const before = server.now;
    assert.equal((await server.call('GET', '/v1/audit', { key })).status, 200);
    server.now += 60_000;
    assert.equal((await server.call('GET', '/v1/audit', { key })).status, 401);
    server.now = before;
  });

  it('are asked for each item of a batch', async () => {
    const checks = [{ ...CHECK }, { ...CHECK, tenant: 'globex' }, { ...CHECK, dry_run: true }];
    const results = async (role: SystemRole): Promise<string[]> => {
      const { key } = await server.key([role], { tenant: 'acme' });
      const { body } = await server.call<{
        results: { decision?: string; error?: { code: string } }[];
      }>('POST', '/check/batch', { key, body: { checks } });
      return body.results.map(({ decision, error }) => decision ?? error?.code ?? '');
    };
    assert.deepEqual(await results('service'), ['allow', 'forbidden', 'allow']);
    assert.deepEqual(await results('auditor'), ['forbidden', 'forbidden', 'forbidden']);
  });

  describe('of one tenant', () => {
    let globex: string;
    before(async () => {
      globex = (await server.key(['tenant_admin', 'approver', 'auditor'], { tenant: 'globex' }))
        .key;
    });
    const asGlobex = (method: string, path: string, body?: object) =>
      server.call<{ code: string; items: { tenant?: string }[] }>(method, path, {
        key: globex,
        body,
      });

    for (const [method, path, body] of [
      ['POST', '/check', { tenant: 'acme', ...CHECK }],
      ['POST', '/v1/approvals', { tenant: 'acme', ...CHECK }],
      ['GET', '/v1/approvals?tenant=acme', undefined],
      ['GET', '/v1/rules?tenant=acme', undefined],
      ['POST', '/v1/rules', { tenant: 'acme', add: [['p', 'a', 'acme', 'b', 'c', 'allow']] }],
      ['POST', '/v1/rules', { add: [['p', 'a', 'acme', 'b', 'c', 'allow']] }],
      ['POST', '/v1/rules', { remove: [['g', 'bob', 'editor', 'acme']] }],
      ['GET', '/v1/keys?tenant=acme', undefined],
      ['POST', '/v1/keys', { tenant: 'acme', name: 'x', roles: [] }],
      ['GET', '/v1/audit?tenant=acme', undefined],
    ] as const) {
      it(`do not reach another that ${method} ${path} ${JSON.stringify(body) ?? ''} names`, async () => {
        const { status, body: problem } = await asGlobex(method, path, body);
        assert.equal(status, 403);
        assert.equal(problem.code, 'forbidden');
      });
    }

    it('find nothing of another by its id', async () => {
      const approval = await fresh();
      const key = await server.key(['service'], { tenant: 'acme' });
      for (const [method, path] of [
        ['GET', `/v1/approvals/${approval}`],
        ['POST', `/v1/approvals/${approval}/approve`],
        ['POST', `/v1/approvals/${approval}/reject`],
        ['POST', `/v1/approvals/${approval}/cancel`],
        ['POST', `/v1/approvals/${approval}/revoke`],
        ['DELETE', `/v1/keys/${key.id}`],
        ['DELETE', '/v1/keys/root'],
      ] as const) {
        const { status, body } = await asGlobex(method, path);
        assert.equal(status, 404, `${method} ${path}`);
        assert.equal(body.code, 'not_found');
      }
      assert.equal(
        (await server.call('POST', '/check', { key: key.key, body: CHECK })).status,
        200,
      );
    });

    it('list nothing of another', async () => {
      await fresh();
      await server.key(['service'], { tenant: 'globex' });
      for (const path of ['/v1/rules', '/v1/keys', '/v1/audit', '/v1/approvals']) {
        const { status, body } = await asGlobex('GET', `${path}?limit=200`);
        assert.equal(status, 200, path);
        assert.deepEqual(
          [...new Set(body.items.map(({ tenant }) => tenant))],
          path === '/v1/approvals' ? [] : ['globex'],
          path,
        );
      }
    });
  });
});
