import assert from 'node:assert/strict';
import { sql } from 'kysely';
import {
  ApprovalNotNeeded,
  Denied,
  Forbidden,
  InvalidRequest,
  RevisionUnavailable,
} from '../../src/errors.js';
import type { AnswerBody } from '../../src/decision/answer.js';
import { caller, makeWorld, person, type World } from '../support/world.js';

const FILES = {
  'bundle.yaml': 'name: world\nmodel: rbac-tenant\n',
  'rules/rules.csv': [
    'p, ops, acme, service:*, deploy, allow',
    'p, ops, acme, service:*, restart, allow',
    'p, ops, acme, service:*, status, allow',
    'p, ops, globex, service:*, status, allow',
    'g, alice, ops, acme',
    'g, alice, ops, globex',
    'g, bob, ops, acme',
    'g, carol, approver, acme',
  ].join('\n'),
  'governance/rules.yaml': `
rules:
  - id: deploys
    kind: approval-required
    match: {actions: [deploy]}
    approval: {stages: [{approvers: {roles: [approver]}, count: 1}]}
  - id: few-restarts
    kind: rate-limit
    match: {actions: [restart, deploy]}
    limits: [{per: hour, count: 3}]
`,
};

const META = { requestId: 'req-1' };
const service = caller({ tenant: 'acme' });
const carol = person('carol', { tenant: 'acme' });

describe('the check service', () => {
  let world: World;
  before(async () => {
    world = await makeWorld(FILES);
  });
  after(() => world.close());

  const ask = async (body: object, who = service): Promise<AnswerBody> =>
    (await world.checks.check(who, JSON.stringify({ tenant: 'acme', ...body }), META)).body;
  const deploy = (id: string, more: object = {}) => ({
    subject: 'alice',
    action: 'deploy',
    resource: `service:${id}`,
    ...more,
  });
  const approve = async (id: string): Promise<string> => {
    const { approval } = await world.checks.openApproval(service, deploy(id), META);
    await world.approvals.approve(world.acting(carol), approval.id);
    return approval.id;
  };

  describe('and approvals', () => {
    it('asks, waits, allows once, and asks again', async () => {
      assert.equal((await ask(deploy('one'))).reason, 'approval_required');
      const opened = await ask(deploy('one', { approval: 'request' }));
      assert.equal(opened.reason, 'approval_required');
      assert.equal(opened.approval?.status, 'pending');
      const waiting = await ask(deploy('one'));
      assert.equal(waiting.reason, 'approval_pending');
      assert.equal(waiting.approval?.id, opened.approval?.id);
      await world.approvals.approve(world.acting(carol), opened.approval?.id ?? '');
      const granted = await ask(deploy('one'));
      assert.equal(granted.reason, 'granted');
      assert.deepEqual(granted.rules[1], {
        id: 'deploys',
        kind: 'approval-required',
        outcome: 'granted',
      });
      assert.equal((await ask(deploy('one'))).reason, 'approval_required');
    });

    it('spends nothing in a dry run', async () => {
      await approve('dry');
      for (let tries = 0; tries < 5; tries += 1) {
        assert.equal((await ask(deploy('dry', { dry_run: true }))).reason, 'granted');
      }
      assert.equal((await ask(deploy('dry'))).reason, 'granted');
    });

    it('gives one grant to one of 200 checks that race for it, and the quota back to the others', async () => {
      world.now += 3_600_000 * 2;
      await approve('race');
      const answers = await Promise.all(Array.from({ length: 200 }, () => ask(deploy('race'))));
      const allowed = answers.filter((answer) => answer.allowed);
      assert.equal(allowed.length, 1);
      for (const answer of answers) {
        assert.ok(
          ['granted', 'approval_required', 'rate_limited'].includes(answer.reason),
          answer.reason,
        );
      }
      // Of three an hour one is spent: whoever lost gave its own back.
      const restart = { subject: 'alice', action: 'restart', resource: 'service:race' };
      const { rows } = await sql<{ count: string }>`SELECT count(*) FROM audit_events
        WHERE kind = 'decision' AND decision = 'allow' AND resource = 'service:race'`.execute(
        world.db.database,
      );
      assert.equal(Number(rows[0]?.count), 1);
      assert.equal((await ask(restart)).rate_limit?.remaining, 1);
    });

    it('answers a rejection until the request would have expired', async () => {
      const { approval } = await world.checks.openApproval(service, deploy('no'), META);
      await world.approvals.reject(world.acting(carol), approval.id, 'not today');
      const answer = await ask(deploy('no', { approval: 'request' }));
      assert.equal(answer.reason, 'approval_rejected');
      assert.equal(answer.approval?.id, approval.id);
    });

    it('never outlives a deny: a grant does not help who lost the rule', async () => {
      await approve('gone');
      const rules = FILES['rules/rules.csv'].replace('g, alice, ops, acme\n', '');
      await world.use({ ...FILES, 'rules/rules.csv': rules });
      assert.equal((await ask(deploy('gone'))).reason, 'no_matching_rule');
      await world.use(FILES);
      assert.equal((await ask(deploy('gone'))).reason, 'granted');
    });

    it('needs a new request when the rule has changed since', async () => {
      await approve('changed');
      const governance = FILES['governance/rules.yaml'].replace('count: 1}]}', 'count: 2}]}');
      await world.use({ ...FILES, 'governance/rules.yaml': governance });
      assert.equal((await ask(deploy('changed'))).reason, 'approval_required');
      await world.use(FILES);
    });

    it('opens on demand: new, then the same, and not where none is needed or it is denied', async () => {
      const first = await world.checks.openApproval(service, deploy('open'), META);
      assert.equal(first.created, true);
      const again = await world.checks.openApproval(service, deploy('open'), META);
      assert.deepEqual([again.created, again.approval.id], [false, first.approval.id]);
      const status = { subject: 'alice', action: 'status', resource: 'service:open' };
      await assert.rejects(world.checks.openApproval(service, status, META), ApprovalNotNeeded);
      const denied = { subject: 'mallory', action: 'deploy', resource: 'service:open' };
      await assert.rejects(world.checks.openApproval(service, denied, META), Denied);
    });

    it('spends no quota for asking', async () => {
      world.now += 3_600_000 * 2;
      for (let tries = 0; tries < 6; tries += 1) {
        await ask({ ...deploy('quota'), subject: 'bob' });
      }
      const restart = { subject: 'bob', action: 'restart', resource: 'service:quota' };
      assert.equal((await ask(restart)).rate_limit?.remaining, 2);
    });
  });

  describe('and its options', () => {
    const status = { subject: 'alice', action: 'status', resource: 'service:x' };

    it('answers again what was answered for the same Idempotency-Key, spending one grant', async () => {
      world.now += 3_600_000 * 2;
      await approve('key');
      const meta = { ...META, idempotencyKey: 'k-1' };
      const body = JSON.stringify({ tenant: 'acme', ...deploy('key') });
      const first = await world.checks.check(service, body, meta);
      assert.equal(first.body.reason, 'granted');
      assert.deepEqual(await world.checks.check(service, body, meta), first);
    });

    it('sends the trace along where it is asked for', async () => {
      const { trace } = await ask({ ...status, explain: true });
      assert.deepEqual(trace?.roles, ['ops']);
      assert.deepEqual(trace?.steps, [{ step: 'casbin', outcome: 'allowed' }]);
      assert.equal((await ask(status)).trace, undefined);
    });

    it('is not fresh enough for a revision to come', async () => {
      await assert.rejects(ask({ ...status, min_revision: 10_000 }), RevisionUnavailable);
    });

    it('opens nothing in a dry run', async () => {
      await assert.rejects(
        ask(deploy('x', { dry_run: true, approval: 'request' })),
        InvalidRequest,
      );
    });
  });

  describe('and who asks', () => {
    const status = { subject: 'alice', action: 'status', resource: 'service:x' };
    const alice = person('alice', { tenant: 'acme' });

    it('refuses a tenant that the credential is not bound to', async () => {
      await assert.rejects(ask({ ...status, tenant: 'globex' }), Forbidden);
      // Alice has the role there too; the key that she uses is Acme's all the same.
      await assert.rejects(ask({ ...status, tenant: 'globex' }, alice), Forbidden);
    });

    it('takes the tenant from the credential, and asks for it where there is none', async () => {
      const bound = await world.checks.check(service, JSON.stringify(status), META);
      assert.equal(bound.body.allowed, true);
      await assert.rejects(
        async () => world.checks.check(caller(), JSON.stringify(status), META),
        InvalidRequest,
      );
    });

    it('needs a subject', async () => {
      const { subject: _, ...body } = status;
      await assert.rejects(ask(body), InvalidRequest);
      await assert.rejects(ask(body, alice), InvalidRequest);
    });

    it('lets a user ask about itself and nobody else', async () => {
      assert.equal((await ask(status, alice)).allowed, true);
      await assert.rejects(ask({ ...status, subject: 'bob' }, alice), Forbidden);
      await assert.rejects(
        ask({ ...status, subject: { type: 'service', id: 'alice' } }, alice),
        Forbidden,
      );
    });

    it('lets a user state no properties of its own, and see no trace', async () => {
      const subject = { id: 'alice', properties: { clearance: 'top' } };
      await assert.rejects(ask({ ...status, subject }, alice), InvalidRequest);
      await assert.rejects(ask({ ...status, explain: true }, alice), Forbidden);
    });

    it('lets a policy author ask in dry runs only', async () => {
      const author = caller({ systemRoles: ['policy_author'] });
      assert.equal((await ask({ ...status, dry_run: true }, author)).allowed, true);
      await assert.rejects(ask(status, author), Forbidden);
    });
  });

  describe('and batches', () => {
    const batch = async (body: object, who = service) => world.checks.checkBatch(who, body, META);
    const restart = (subject: string) => ({ subject, action: 'restart', resource: 'service:b' });

    it('answers in order, each as if asked alone, with the defaults filled in', async () => {
      world.now += 3_600_000 * 2;
      const { results, revision } = await batch({
        defaults: { action: 'restart', resource: 'service:b', context: { a: 1 } },
        checks: [
          { subject: 'alice' },
          { subject: 'nobody' },
          { subject: 'alice' },
          { subject: 'alice' },
          { subject: 'alice' },
          { subject: 'alice', action: 'status' },
        ],
      });
      assert.deepEqual(
        results.map((result) => ('reason' in result ? result.reason : 'error')),
        ['allowed', 'no_matching_rule', 'allowed', 'allowed', 'rate_limited', 'allowed'],
      );
      for (const result of results) {
        assert.equal('revision' in result && result.revision, revision);
      }
    });

    it('puts an error in its place and spoils nothing else', async () => {
      const { results } = await batch({
        checks: [
          restart('bob'),
          { subject: 'bob' },
          'no check',
          { ...restart('bob'), tenant: 'globex' },
          { ...restart('bob'), min_revision: 1 },
          { ...restart('bob'), __unknown: 1 },
          JSON.parse(
            '{"__proto__": {"subject": "bob"}, "action": "restart", "resource": "service:b"}',
          ),
          { ...restart('bob'), context: { text: 'a\0b' } },
        ],
      });
      assert.deepEqual(
        results.map((result) => ('error' in result ? 'error' : result.reason)),
        ['allowed', ...Array.from({ length: 7 }, () => 'error')],
      );
    });

    it('takes at most 1,000 checks and opens at most 20 approvals', async () => {
      const many = Array.from({ length: 1_001 }, () => restart('nobody'));
      await assert.rejects(batch({ checks: many }), InvalidRequest);
      assert.equal((await batch({ checks: many.slice(1) })).results.length, 1_000);
      const opening = { checks: many.slice(0, 21), defaults: { approval: 'request' } };
      await assert.rejects(batch(opening), InvalidRequest);
      assert.deepEqual((await batch({ checks: [] })).results, []);
    });

    it('refuses wrong defaults as a whole', async () => {
      await assert.rejects(batch({ checks: [], defaults: { subject: 5 } }), InvalidRequest);
      await assert.rejects(batch({ checks: [], defaults: { min_revision: 5 } }), InvalidRequest);
      await assert.rejects(batch({ checks: {} }), InvalidRequest);
    });
  });
});
