import assert from 'node:assert/strict';
import { sql } from 'kysely';
import { type TestServer, testServer } from '../support/server.js';
import { until } from '../support/until.js';

interface Shown {
  readonly id: string;
  readonly status: string;
  readonly reason?: string;
}

const RULES = 'governance/production.yaml';
const ADDED = `
  - id: friday-approval
    kind: approval-required
    match: {tenants: [acme], actions: [deploy]}
    approval: {stages: [{approvers: {roles: [admin]}}]}
`;

describe('a new policy and the requests that wait', () => {
  let server: TestServer;
  let files: Record<string, string>;
  let approver: string;
  let opened = 0;

  before(async () => {
    server = await testServer();
    const { body } = await server.call<{ files: Record<string, string> }>('GET', '/v1/bundles/1');
    // What the bundle's own tests say of these rules is beside the point here.
    files = Object.fromEntries(
      Object.entries(body.files).filter(([name]) => !name.startsWith('tests/')),
    );
    approver = (await server.key(['approver'], { tenant: 'acme' })).key;
  });
  after(() => server.close());
  beforeEach(() => apply({}));

  async function apply(changes: Record<string, string>): Promise<void> {
    const answer = await server.call('POST', '/v1/bundles', {
      body: { files: { ...files, ...changes } },
    });
    assert.ok([200, 201].includes(answer.status), answer.text);
  }

  async function request(): Promise<string> {
    opened += 1;
    const answer = await server.call<Shown>('POST', '/v1/approvals', {
      body: {
        tenant: 'acme',
        subject: 'alice',
        action: 'deploy',
        resource: { type: 'service', id: `s${opened}`, properties: { environment: 'prod' } },
        context: { comment: 'CHG-1234 roll back' },
      },
    });
    assert.equal(answer.status, 201, answer.text);
    return answer.body.id;
  }

  const production = () => files[RULES] ?? '';
  const changes: readonly (readonly [string, () => Record<string, string>])[] = [
    [
      'changes',
      () => ({ [RULES]: production().replace('{roles: [approver]}', '{roles: [admin]}') }),
    ],
    ['is gone', () => ({ [RULES]: 'rules: []\n' })],
    [
      'is bound with another path',
      () => ({ 'bundle.yaml': `${files['bundle.yaml']}approval: {bind: [ticket]}\n` }),
    ],
  ];

  for (const [what, next] of changes) {
    it(`cancel it at once where its rule ${what}`, async () => {
      const id = await request();
      await apply(next());
      const shown = await server.call<Shown>('GET', `/v1/approvals/${id}`);
      assert.deepEqual([shown.body.status, shown.body.reason], ['cancelled', 'policy_changed']);
      for (const verb of ['approve', 'reject']) {
        const answer = await server.call('POST', `/v1/approvals/${id}/${verb}`, { key: approver });
        assert.equal(answer.status, 409, answer.text);
        assert.equal(answer.body['code'], 'already_decided');
        assert.match(String(answer.body['detail']), /policy has changed.*new request is needed/);
      }
      for (const [status, there] of [
        ['cancelled', true],
        ['pending', false],
      ] as const) {
        const { body } = await server.call<{ items: Shown[] }>(
          'GET',
          `/v1/approvals?status=${status}`,
        );
        const found = body.items.find((item) => item.id === id);
        assert.equal(found !== undefined, there, status);
        if (there) assert.equal(found?.reason, 'policy_changed');
      }
      const inbox = await server.call<{ items: Shown[] }>('GET', '/v1/approvals?view=inbox', {
        key: approver,
      });
      assert.deepEqual(
        inbox.body.items.filter((item) => item.id === id),
        [],
      );
    });
  }

  it('cancel it where a rule is added, at the latest when somebody decides', async () => {
    const id = await request();
    await apply({ [RULES]: `${production()}${ADDED}` });
    const answer = await server.call('POST', `/v1/approvals/${id}/approve`, { key: approver });
    assert.equal(answer.status, 409, answer.text);
    const { body } = await server.call<Shown>('GET', `/v1/approvals/${id}`);
    assert.deepEqual([body.status, body.reason], ['cancelled', 'policy_changed']);
  });

  it('leave it alone where its rules stay as they are', async () => {
    const id = await request();
    await apply({ [RULES]: `${production()}${ADDED.replace('deploy', 'other')}` });
    const answer = await server.call<Shown>('POST', `/v1/approvals/${id}/approve`, {
      key: approver,
    });
    assert.equal(answer.status, 200, answer.text);
  });

  it('write it down soon, without anybody asking, and tell the audit why', async () => {
    const ids = [await request(), await request()];
    await apply({ [RULES]: `${production()}${ADDED}` });
    // The timer of the sweep alone would take 15 seconds.
    for (const end = Date.now() + 5_000; ; ) {
      const { rows } = await sql<{ status: string; reason: string }>`
        SELECT status, reason FROM approvals WHERE id = ANY(${ids}::text[])`.execute(
        server.database.database,
      );
      if (rows.every(({ status }) => status === 'cancelled')) {
        assert.deepEqual([...new Set(rows.map(({ reason }) => reason))], ['policy_changed']);
        break;
      }
      assert.ok(Date.now() < end, `not swept in time: ${JSON.stringify(rows)}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const { rows } = await sql<{ actor: string; reason: string }>`
      SELECT actor, detail->>'reason' AS reason FROM audit_events
      WHERE kind = 'approval.cancelled' AND approval_id = ANY(${ids}::text[])`.execute(
      server.database.database,
    );
    const once = { actor: 'countersign', reason: 'policy_changed' };
    assert.deepEqual(rows, [once, once]);
  });
});

describe('changes that no message tells of', () => {
  let server: TestServer;

  before(async () => {
    server = await testServer({ pollMs: 1 });
  });
  after(() => server.close());

  it('are found as often as the setting says', async () => {
    const question = { tenant: 'acme', subject: 'bob', action: 'read', resource: 'document:1' };
    // Of as many, the looks of every five seconds would not find all in the time of a test.
    for (let times = 0; times < 20; times += 1) {
      const { rows } = await sql<{ revision: string }>`
        INSERT INTO change_log (revision, kind, actor)
        SELECT max(revision) + 1, 'key.created', 'test' FROM change_log RETURNING revision`.execute(
        server.database.database,
      );
      await until(
        () => server.call<{ revision: number }>('POST', '/check', { body: question }),
        ({ body }) => body.revision === Number(rows[0]?.revision),
      );
    }
  });
});
