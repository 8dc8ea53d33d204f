import assert from 'node:assert/strict';
import type { AnswerBody } from '../../src/decision/answer.js';
import { OFFICE_HOURS, type TestServer, testServer } from '../support/server.js';

const RULE = ['p', 'reader', 'acme', 'page:*', 'look', 'allow'];
const LOOK = { subject: 'rita', action: 'look', resource: 'page:1' };
const GOVERNANCE = `
rules:
  - id: mornings
    kind: time-window
    match: {actions: [look]}
    windows: [{days: [mon-sun], from: "09:00", to: "12:00", timezone: UTC}]
  - id: few-prints
    kind: rate-limit
    match: {actions: [print]}
    limits: [{per: hour, count: 6}]
  - id: signed
    kind: approval-required
    match: {actions: [sign]}
    approval: {stages: [{approvers: {roles: [approver]}}]}
`;
const MORNING = OFFICE_HOURS;
const EVENING = OFFICE_HOURS + 8 * 3_600_000;

/** A server holds a check that has come twice; what it says then must be what it says to a new one. */
describe('a check that comes again and again', () => {
  let server: TestServer;

  before(async () => {
    server = await testServer({ audit: 'strict' });
    const files = {
      'bundle.yaml': 'name: again\nmodel: rbac-tenant\n',
      'rules/rules.csv': [
        'p, reader, acme, page:*, print, allow',
        'p, reader, acme, page:*, sign, allow',
        'g, rita, reader, acme',
        'g, rita, reader, globex',
        'g, carol, approver, acme',
      ].join('\n'),
      'governance/again.yaml': GOVERNANCE,
    };
    const applied = await server.call('POST', '/v1/bundles', { body: { files } });
    assert.equal(applied.status, 201, applied.text);
    await change({ add: [RULE] });
  });
  beforeEach(() => {
    server.now = MORNING;
  });
  after(() => server.close());

  const ask = async (body: object, key = server.rootKey) =>
    server.call<AnswerBody & { code?: string }>('POST', '/check', {
      body: { tenant: 'acme', ...body },
      key,
    });
  const reasons = async (body: object, times = 4): Promise<string[]> => {
    const all: string[] = [];
    for (let time = 0; time < times; time += 1) all.push((await ask(body)).body.reason);
    return all;
  };
  const change = async (body: object): Promise<void> => {
    const changed = await server.call('POST', '/v1/rules', { body });
    assert.equal(changed.status, 200, changed.text);
  };

  it('is denied by the very next answer once its rule is gone, and allowed once it is back', async () => {
    assert.deepEqual(new Set(await reasons(LOOK)), new Set(['allowed']));
    for (let round = 0; round < 3; round += 1) {
      await change({ remove: [RULE] });
      assert.deepEqual(new Set(await reasons(LOOK)), new Set(['no_matching_rule']));
      await change({ add: [RULE] });
      assert.deepEqual(new Set(await reasons(LOOK)), new Set(['allowed']));
    }
  });

  it('is an event of the audit each time, with an id of its own', async () => {
    const ids: string[] = [];
    for (let time = 0; time < 5; time += 1) {
      ids.push((await ask({ ...LOOK, resource: 'page:audit' })).body.decision_id);
    }
    const audit = await server.call<{ items: { id: string; resource?: string }[] }>(
      'GET',
      '/v1/audit?tenant=acme&kind=decision',
    );
    const events = audit.body.items.filter(({ resource }) => resource === 'page:audit');
    assert.deepEqual(events.map(({ id }) => id).sort(), ids.sort());
    assert.equal(new Set(ids).size, 5);
  });

  it('is told the time', async () => {
    const body = { ...LOOK, resource: 'page:time' };
    assert.deepEqual(new Set(await reasons(body)), new Set(['allowed']));
    server.now = EVENING;
    assert.deepEqual(new Set(await reasons(body)), new Set(['outside_time_window']));
  });

  it('uses up its limit', async () => {
    const body = { ...LOOK, action: 'print' };
    assert.deepEqual(await reasons(body, 8), [
      ...Array.from({ length: 6 }, () => 'allowed'),
      'rate_limited',
      'rate_limited',
    ]);
  });

  it('uses a grant once', async () => {
    const body = { ...LOOK, action: 'sign' };
    await reasons(body);
    const opened = await ask({ ...body, approval: 'request' });
    const { key } = await server.key(['approver'], { tenant: 'acme', user: 'carol' });
    const path = `/v1/approvals/${opened.body.approval?.id}/approve`;
    const approved = await server.call('POST', path, { key });
    assert.equal(approved.status, 200, approved.text);
    assert.deepEqual(await reasons(body), [
      'granted',
      'approval_required',
      'approval_required',
      'approval_required',
    ]);
  });

  it('is refused to who may not ask it', async () => {
    await reasons(LOOK);
    const strangers = [
      await server.key(['auditor'], { tenant: 'acme' }),
      await server.key(['service'], { tenant: 'globex' }),
      await server.key([], { tenant: 'acme', user: 'bob' }),
    ];
    for (const { key } of strangers) {
      const { status, body } = await ask(LOOK, key);
      assert.deepEqual([status, body.code], [403, 'forbidden']);
    }
    assert.deepEqual(await reasons(LOOK, 1), ['allowed']);
  });

  it('is asked in the tenant of each credential', async () => {
    const acme = await server.key(['service'], { tenant: 'acme' });
    const globex = await server.key(['service'], { tenant: 'globex' });
    const given: [number, boolean][] = [];
    for (const { key } of [acme, acme, acme, globex, acme, globex]) {
      const { status, body } = await server.call<AnswerBody>('POST', '/check', { body: LOOK, key });
      given.push([status, body.allowed]);
    }
    assert.deepEqual(
      given,
      [true, true, true, false, true, false].map((allowed) => [200, allowed]),
    );
  });

  it('is refused each time where it is no check', async () => {
    for (let time = 0; time < 4; time += 1) {
      const { status, body } = await ask({ ...LOOK, subject: 7 });
      assert.deepEqual([status, body.code], [400, 'invalid_request']);
    }
    const texts = [
      '',
      '{',
      '[]',
      'null',
      '{}{}',
      '{"context":{"__proto__":{}}}',
      '{"a":"\\ud800"}',
    ];
    for (const text of [...texts, ...texts, ...texts]) {
      const response = await fetch(`${server.url}/check`, {
        method: 'POST',
        headers: { Authorization: `Bearer ${server.rootKey}`, 'Content-Type': 'application/json' },
        body: text,
      });
      const { code } = (await response.json()) as { code: string };
      assert.deepEqual([response.status, code], [400, 'invalid_request'], text);
    }
  });

  it('waits for a revision that is not here, whatever was answered before', async () => {
    const { revision } = (await ask(LOOK)).body;
    assert.deepEqual(
      new Set(await reasons({ ...LOOK, min_revision: revision })),
      new Set(['allowed']),
    );
    for (let time = 0; time < 3; time += 1) {
      const { status, body } = await ask({ ...LOOK, min_revision: revision + 1_000 });
      assert.deepEqual([status, body.code], [503, 'revision_unavailable']);
    }
  });
});
