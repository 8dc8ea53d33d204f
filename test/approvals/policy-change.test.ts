import assert from 'node:assert/strict';
import { sql } from 'kysely';
import { APPROVAL_STATUSES } from '../../src/approvals/approval.js';
import type {
  Acting,
  ApprovalService,
  PolicyInForce,
} from '../../src/approvals/approval-service.js';
import { createApprovalService } from '../../src/approvals/create-approval-service.js';
import { createAuditRecorder } from '../../src/audit/recorder.js';
import {
  AlreadyDecided,
  Forbidden,
  NotAnApprover,
  NotFound,
  RevisionUnavailable,
} from '../../src/errors.js';
import type { ApprovalRequiredRule } from '../../src/governance/governance-rule.js';
import { type TestDatabase, testDatabase } from '../support/database.js';
import {
  actingAs,
  approver,
  callerOf,
  checkOf,
  FixedClock,
  HOUR,
  policyOf,
  questionOf,
  ruleOf,
  service,
} from './fixtures.js';

const silent = { warn: () => {}, error: () => {} };
const [first, second] = [ruleOf('first'), ruleOf('second')];
const firstChanged = ruleOf('first', { expiresAfter: HOUR });

describe('a policy that changes under pending requests', () => {
  let db: TestDatabase;
  let clock: FixedClock;
  let policy: PolicyInForce;
  let approvals: ApprovalService;
  const ci = service('ci');
  const carol = approver('carol');
  const dave = approver('dave');

  before(async () => {
    db = await testDatabase();
  });
  after(() => db.close());
  beforeEach(async () => {
    await sql`DELETE FROM approvals`.execute(db.database);
    await sql`DELETE FROM audit_events`.execute(db.database);
    clock = new FixedClock();
    policy = policyOf([first, second]);
    const { database } = db;
    approvals = createApprovalService({
      database,
      audit: createAuditRecorder({ database, mode: 'off', log: silent, clock }),
      policyInForce: () => policy,
      clock,
    });
  });

  async function opened(
    rules: readonly ApprovalRequiredRule[] = [first],
    { check = checkOf(), bind = [] as readonly string[], revision = 7 } = {},
  ): Promise<string> {
    const answer = await approvals.open(questionOf(check, rules, bind), {
      requester: ci,
      revision,
    });
    assert.ok('approval' in answer, `settled: ${JSON.stringify(answer)}`);
    return answer.approval.id;
  }

  it('keeps a request of a later revision from being replaced by a server that lags behind', async () => {
    const id = await opened([firstChanged], { revision: 42 });
    await assert.rejects(opened([first], { revision: 41 }), RevisionUnavailable);
    assert.deepEqual(await stored(id), ['pending', null]);
    await assert.doesNotReject(opened([first], { revision: 43 }));
    assert.deepEqual(await stored(id), ['cancelled', 'policy_changed']);
  });

  async function stored(id: string): Promise<readonly [string, string | null]> {
    const { rows } = await sql<{ status: string; reason: string | null }>`
      SELECT status, reason FROM approvals WHERE id = ${id}`.execute(db.database);
    return [rows[0]?.status ?? 'gone', rows[0]?.reason ?? null];
  }

  async function told(): Promise<{ kind: string; actor: string; detail: object }[]> {
    const { rows } = await sql<{ kind: string; actor: string; detail: object }>`
      SELECT kind, actor, detail FROM audit_events ORDER BY seq`.execute(db.database);
    return rows;
  }

  const changedPolicies: readonly (readonly [string, PolicyInForce])[] = [
    ['reads otherwise', policyOf([firstChanged], { revision: 8 })],
    ['is gone', policyOf([second], { revision: 8 })],
    ['is bound with other paths', policyOf([first], { revision: 8, bind: ['ticket'] })],
    [
      'is joined by another',
      policyOf([first, second], { revision: 8, needs: () => [first.digest, second.digest] }),
    ],
  ];

  for (const [what, next] of changedPolicies) {
    for (const verb of ['approve', 'reject'] as const) {
      it(`take no more votes: a kept rule ${what}, somebody wants to ${verb}`, async () => {
        const id = await opened();
        policy = next;
        await assert.rejects(approvals[verb](carol, id, 'looks good'), (error) => {
          assert.ok(error instanceof AlreadyDecided, String(error));
          assert.match(error.message, /the policy has changed .* a new request is needed/);
          return true;
        });
        assert.deepEqual(await stored(id), ['cancelled', 'policy_changed']);
        const { status, reason, stages, decided_at } = await approvals.get(carol, id);
        assert.deepEqual([status, reason], ['cancelled', 'policy_changed']);
        assert.deepEqual(stages[0]?.votes, []);
        assert.equal(decided_at, new Date(clock.time).toISOString());
        const [, cancelled, ...more] = await told();
        assert.deepEqual(more, []);
        assert.deepEqual(cancelled, {
          kind: 'approval.cancelled',
          actor: 'countersign',
          detail: { reason: 'policy_changed' },
        });
        await assert.rejects(approvals[verb](dave, id), /the policy has changed/);
        assert.equal((await told()).length, 2, 'cancelled once');
      });
    }
  }

  it('keep the votes that were cast before, and give no grant', async () => {
    const two = ruleOf('two', {
      stages: [{ approvers: { roles: ['approver'], users: [] }, count: 2 }],
    });
    policy = policyOf([two]);
    const id = await opened([two]);
    await approvals.approve(carol, id);
    policy = policyOf([first], { revision: 8 });
    await assert.rejects(approvals.approve(dave, id), AlreadyDecided);
    const { status, stages, grant } = await approvals.get(carol, id);
    assert.deepEqual([status, stages[0]?.votes.length, grant], ['cancelled', 1, undefined]);
    assert.deepEqual(await approvals.find(questionOf(checkOf(), [two])), { state: 'none' });
  });

  it('are cancelled once, however many decide at the same moment', async () => {
    const id = await opened();
    policy = policyOf([], { revision: 8 });
    const answers = await Promise.allSettled(
      Array.from({ length: 20 }, (_, index) => approvals.approve(approver(`p${index}`), id)),
    );
    for (const answer of answers) {
      assert.ok(
        answer.status === 'rejected' && answer.reason instanceof AlreadyDecided,
        JSON.stringify(answer),
      );
    }
    assert.deepEqual(
      (await told()).map(({ kind }) => kind),
      ['approval.opened', 'approval.cancelled'],
    );
  });

  it('refuse in the order of every other refusal', async () => {
    const id = await opened();
    policy = policyOf([], { revision: 8 });
    const stranger = actingAs(callerOf('yan'));
    const foreigner = actingAs(callerOf('gil', { tenant: 'globex' }), { globex: ['approver'] });
    await assert.rejects(approvals.approve(foreigner, id), NotFound);
    await assert.rejects(approvals.approve(stranger, id), NotAnApprover);
    assert.deepEqual(await stored(id), ['pending', null], 'who may not know of it changes nothing');
    await assert.rejects(approvals.cancel(carol, id), Forbidden);
    await assert.rejects(approvals.cancel(actingAs(ci), id), AlreadyDecided);
    await assert.rejects(approvals.revoke(carol, id), AlreadyDecided);
  });

  it('stand where the policy is new but what they keep is not', async () => {
    const id = await opened([first], { bind: ['ticket', 'change'] });
    policy = policyOf([second, first], {
      revision: 8,
      bind: ['change', 'ticket', 'change'],
      needs: () => [first.digest],
    });
    assert.equal((await approvals.get(carol, id)).status, 'pending');
    assert.equal(await approvals.cancelChanged(policy), 0);
    assert.equal((await approvals.approve(carol, id)).status, 'approved');
  });

  it('stand on a server that lags behind the one where they were opened', async () => {
    const id = await opened([firstChanged], { revision: 8 });
    policy = policyOf([first], { revision: 7, bind: ['x'], needs: () => [first.digest] });
    assert.equal((await approvals.get(carol, id)).status, 'pending');
    assert.equal(await approvals.cancelChanged(policy), 0);
    assert.equal((await approvals.approve(carol, id)).status, 'approved');
  });

  it('expire, and are not cancelled, where their time is over', async () => {
    const id = await opened();
    policy = policyOf([], { revision: 8 });
    clock.time += 24 * HOUR;
    assert.equal((await approvals.get(carol, id)).status, 'expired');
    await assert.rejects(approvals.approve(carol, id), /`expired` already/);
    assert.deepEqual(await approvals.list(carol, { status: 'cancelled' }), {
      items: [],
      next: null,
    });
  });

  it('leave grants to their time', async () => {
    const id = await opened();
    await approvals.approve(carol, id);
    policy = policyOf([], { revision: 8 });
    assert.equal((await approvals.get(carol, id)).status, 'approved');
    assert.equal((await approvals.revoke(carol, id)).status, 'revoked');
  });

  it('are shown as cancelled, with the reason, before and after the sweep', async () => {
    const at = (id: string) => ({
      check: checkOf({ resource: { type: 'service', id, properties: {} } }),
    });
    const ids = {
      kept: await opened([second], at('kept')),
      changed: await opened([first], at('changed')),
      partly: await opened([first, second], at('partly')),
      bound: await opened([second], { ...at('bound'), bind: ['ticket'] }),
      later: await opened([firstChanged], { ...at('later'), revision: 9 }),
    };
    policy = policyOf([second], { revision: 8 });
    const names = new Map(Object.entries(ids).map(([name, id]) => [id, name]));
    const listed = async (
      acting: Acting,
      listing: Parameters<ApprovalService['list']>[1],
    ): Promise<(string | undefined)[]> =>
      (await approvals.list(acting, listing)).items.map(({ id }) => names.get(id));
    for (const swept of [false, true]) {
      if (swept) assert.equal(await approvals.cancelChanged(policy), 3);
      const when = swept ? 'after the sweep' : 'before the sweep';
      const gone = ['bound', 'partly', 'changed'];
      assert.deepEqual(await listed(carol, { status: 'cancelled' }), gone, when);
      assert.deepEqual(await listed(carol, { status: 'pending' }), ['later', 'kept'], when);
      assert.deepEqual(await listed(carol, { view: 'inbox' }), ['later', 'kept'], when);
      const { items } = await approvals.list(carol, {});
      for (const { id, status, reason } of items) {
        const expected = gone.includes(names.get(id) ?? '')
          ? ['cancelled', 'policy_changed']
          : ['pending', undefined];
        assert.deepEqual([status, reason], expected, `${names.get(id)} ${when}`);
        const one = await approvals.get(carol, id);
        assert.deepEqual([one.status, one.reason], expected, `${names.get(id)} alone ${when}`);
      }
      const counts = await Promise.all(
        APPROVAL_STATUSES.map(async (status) => (await listed(carol, { status })).length),
      );
      assert.equal(
        counts.reduce((sum, count) => sum + count),
        items.length,
        `each has one status ${when}`,
      );
    }
  });

  it('are swept where a rule has joined, once for each revision', async () => {
    const at = (id: string) => checkOf({ resource: { type: 'service', id, properties: {} } });
    const both = await opened([first, second], { check: at('both') });
    const one = await opened([first], { check: at('one') });
    const fresh = await opened([first], { check: at('fresh'), revision: 8 });
    let asked = 0;
    policy = policyOf([first, second], {
      revision: 8,
      needs: () => {
        asked += 1;
        return [first.digest, second.digest];
      },
    });
    assert.equal(await approvals.cancelChanged(policy), 1);
    assert.deepEqual(await stored(one), ['cancelled', 'policy_changed']);
    assert.deepEqual(await stored(both), ['pending', null]);
    assert.deepEqual(await stored(fresh), ['pending', null], 'opened under this revision');
    assert.equal(asked, 2);
    assert.equal(await approvals.cancelChanged(policy), 0);
    assert.equal(asked, 2, 'not looked at again');
    assert.equal(await approvals.cancelChanged({ ...policy, revision: 9 }), 1);
  });

  it('tell a rule that joined of the check as it was kept, and of the moment it was opened', async () => {
    const id = await opened();
    const openedAt = clock.time;
    clock.time += HOUR;
    policy = policyOf([first], {
      revision: 8,
      needs(check, since) {
        assert.deepEqual(check, checkOf());
        assert.equal(since, openedAt);
        return [];
      },
    });
    assert.equal((await approvals.approve(carol, id)).status, 'approved');
  });
});
