import assert from 'node:assert/strict';
import { sql } from 'kysely';
import type {
  Acting,
  ApprovalService,
  OpenedApproval,
} from '../../src/approvals/approval-service.js';
import type { ApprovalQuestion } from '../../src/approvals/binding.js';
import { createApprovalService } from '../../src/approvals/create-approval-service.js';
import { createAuditRecorder } from '../../src/audit/recorder.js';
import {
  AlreadyDecided,
  Conflict,
  Forbidden,
  InvalidRequest,
  NotAnApprover,
  NotFound,
  SelfApproval,
} from '../../src/errors.js';
import type { Caller } from '../../src/identity/caller.js';
import { connectDatabase, type Database } from '../../src/platform/database.js';
import { type TestDatabase, testDatabase } from '../support/database.js';
import {
  actingAs,
  approver,
  callerOf,
  checkOf,
  FixedClock,
  HOUR,
  NOON,
  policyOf,
  questionOf,
  ruleOf,
  service,
} from './fixtures.js';

const NOWHERE = `apr_${'0'.repeat(32)}`;
const silent = { warn: () => {}, error: () => {} };

describe('approvals in Postgres', () => {
  let db: TestDatabase;
  let clock: FixedClock;
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
    approvals = serviceAt(clock);
  });

  function serviceAt(at?: FixedClock, database: Database = db.database): ApprovalService {
    const recorderClock = at ?? { now: () => Date.now() };
    const audit = createAuditRecorder({ database, mode: 'off', log: silent, clock: recorderClock });
    return createApprovalService({ database, audit, ...(at === undefined ? {} : { clock: at }) });
  }

  async function opened(question: ApprovalQuestion = questionOf(), requester: Caller = ci) {
    const answer = await approvals.open(question, { requester, revision: 7, requestId: 'req-0' });
    return approvalIn(answer);
  }

  function approvalIn(answer: OpenedApproval) {
    assert.ok('approval' in answer, `settled: ${JSON.stringify(answer)}`);
    return answer.approval;
  }

  async function granted(question: ApprovalQuestion = questionOf()) {
    const { id } = await opened(question);
    return approvals.approve(carol, id);
  }

  function spend(id: string, service = approvals, caller: Caller = ci): Promise<boolean> {
    const use = { caller, revision: 8, decisionId: 'dec_1', requestId: 'req-2' };
    return db.database.transaction().execute((transaction) => service.spend(transaction, id, use));
  }

  interface Told {
    kind: string;
    actor: string;
    at: Date;
    approval_id: string;
    subject: string;
    detail: Record<string, unknown>;
  }
  async function told(): Promise<Told[]> {
    const { rows } = await sql<Told>`
      SELECT kind, actor, at, approval_id, subject, detail FROM audit_events ORDER BY seq`.execute(
      db.database,
    );
    return rows;
  }
  const kindsTold = async () => (await told()).map(({ kind }) => kind.replace('approval.', ''));

  describe('opening', () => {
    it('shows the request as the contract has it', async () => {
      const { id, ...approval } = await opened();
      assert.match(id, /^apr_[0-9a-f]{32}$/);
      assert.deepEqual(approval, {
        tenant: 'acme',
        status: 'pending',
        requester: 'key:ci',
        check: checkOf(),
        rules: [{ id: 'prod-deploy', digest: ruleOf('prod-deploy').digest, risk: 'medium' }],
        stages: [{ approvers: { roles: ['approver'], users: [] }, count: 1, votes: [] }],
        opened_at: '2026-03-30T10:00:00.000Z',
        expires_at: '2026-03-31T10:00:00.000Z',
        revision: 7,
      });
      assert.deepEqual(await approvals.find(questionOf()), {
        state: 'pending',
        id,
        expiresAt: NOON + 24 * HOUR,
      });
    });

    it('answers with the pending request when the same is asked again', async () => {
      const first = await opened();
      const again = await approvals.open(
        questionOf(checkOf({ context: { comment: 'another word' } })),
        { requester: callerOf('zoe'), revision: 9 },
      );
      assert.equal(again.outcome, 'existing');
      assert.deepEqual(approvalIn(again), first);
      assert.deepEqual(await kindsTold(), ['opened']);
    });

    it('makes one request of fifty that are opened at once', async () => {
      const answers = await Promise.all(
        Array.from({ length: 50 }, () =>
          approvals.open(questionOf(), { requester: ci, revision: 7 }),
        ),
      );
      assert.equal(new Set(answers.map((answer) => approvalIn(answer).id)).size, 1);
      assert.equal(answers.filter(({ outcome }) => outcome === 'opened').length, 1);
      assert.deepEqual(await kindsTold(), ['opened']);
    });

    it('opens another request for a check that differs', async () => {
      const other = questionOf(checkOf({ tenant: 'globex' }));
      assert.notEqual((await opened(other)).id, (await opened()).id);
      assert.deepEqual(await kindsTold(), ['opened', 'opened']);
    });

    it('keeps a check of any well-formed text as it came', async () => {
      const context = { comment: 'ü"\\\u0007\u{1F600}', deep: [{ a: [null, 1e300, -0.5] }] };
      const { id } = await opened(questionOf(checkOf({ context })));
      assert.deepEqual((await approvals.get(carol, id)).check.context, context);
    });

    it('is not barred by an overdue request that nobody has written down yet', async () => {
      const old = await opened();
      clock.time += 24 * HOUR;
      assert.deepEqual(await approvals.find(questionOf()), { state: 'none' });
      const fresh = await opened();
      assert.notEqual(fresh.id, old.id);
      assert.deepEqual(await kindsTold(), ['opened', 'expired', 'opened']);
    });

    it('opens nothing where a grant stands', async () => {
      const { id } = await granted();
      const answer = await approvals.open(questionOf(), { requester: ci, revision: 7 });
      assert.equal(answer.outcome, 'settled');
      assert.ok('found' in answer);
      assert.deepEqual(answer.found, {
        state: 'granted',
        id,
        mode: 'once',
        expiresAt: NOON + 24 * HOUR,
      });
    });

    it('commits nothing where the audit cannot be written', async () => {
      const failing = createApprovalService({
        database: db.database,
        audit: { write: () => Promise.reject(new Error('no audit')) },
        clock,
      });
      await assert.rejects(failing.open(questionOf(), { requester: ci, revision: 7 }), /no audit/);
      assert.deepEqual(await approvals.find(questionOf()), { state: 'none' });
      const { id } = await opened();
      await assert.rejects(failing.approve(carol, id), /no audit/);
      assert.equal((await approvals.get(carol, id)).status, 'pending');
    });
  });

  describe('rules that change', () => {
    const [first, second] = [ruleOf('first'), ruleOf('second')];

    it('lets a grant lift exactly the rules that it was given for', async () => {
      await granted(questionOf(checkOf(), [first]));
      const changed = ruleOf('first', { expiresAfter: HOUR });
      for (const rules of [[first, second], [second], [changed]]) {
        assert.deepEqual(await approvals.find(questionOf(checkOf(), rules)), { state: 'none' });
      }
      assert.equal((await approvals.find(questionOf(checkOf(), [first]))).state, 'granted');
    });

    it('cancels the pending request when another rule joins, and opens a new one', async () => {
      const old = await opened(questionOf(checkOf(), [first]));
      const fresh = await opened(questionOf(checkOf(), [first, second]));
      assert.notEqual(fresh.id, old.id);
      const { status, reason } = await approvals.get(carol, old.id);
      assert.deepEqual([status, reason], ['cancelled', 'policy_changed']);
      const [, cancelled] = await told();
      assert.equal(cancelled?.detail.reason, 'policy_changed');
      assert.equal(cancelled?.actor, 'countersign');
    });

    it('cancels it too where the new rule looks at more of the context', async () => {
      const check = checkOf({ context: { amount: 5 } });
      const old = await opened(questionOf(check, [first]));
      await opened(questionOf(check, [ruleOf('first', {}, { context: ['amount'] })]));
      assert.equal((await approvals.get(carol, old.id)).status, 'cancelled');
    });

    it('leaves a request alone that the same rules bind to another context', async () => {
      const rules = [ruleOf('first', {}, { context: ['amount'] })];
      const five = await opened(questionOf(checkOf({ context: { amount: 5 } }), rules));
      const six = await opened(questionOf(checkOf({ context: { amount: 6 } }), rules));
      assert.notEqual(five.id, six.id);
      assert.equal((await approvals.get(carol, five.id)).status, 'pending');
    });

    it('leaves a request alone that changed rules bind to another context', async () => {
      const before = [ruleOf('first', {}, { context: ['amount'] })];
      const after = [ruleOf('first', { expiresAfter: HOUR }, { context: ['amount'] })];
      const five = await opened(questionOf(checkOf({ context: { amount: 5 } }), before));
      await opened(questionOf(checkOf({ context: { amount: 6 } }), after));
      assert.equal((await approvals.get(carol, five.id)).status, 'pending');
    });

    it('cancels after a change of the bundle what keeps a rule that is gone or reads otherwise', async () => {
      const at = (id: string) => checkOf({ resource: { type: 'service', id, properties: {} } });
      const gone = await opened(questionOf(at('a'), [first, second]));
      const kept = await opened(questionOf(at('b'), [first]));
      const bound = await opened(questionOf(at('c'), [first], ['ticket']));
      const policy = policyOf([first, ruleOf('third')]);
      assert.equal(await approvals.cancelChanged({ ...policy, revision: 6 }), 0);
      assert.equal(await approvals.cancelChanged(policy), 2);
      const statuses = await Promise.all(
        [gone, kept, bound].map(async ({ id }) => (await approvals.get(carol, id)).status),
      );
      assert.deepEqual(statuses, ['cancelled', 'pending', 'cancelled']);
      assert.equal(await approvals.cancelChanged(policy), 0);
    });

    it('writes an overdue request down as expired, not as cancelled', async () => {
      await opened(questionOf(checkOf(), [first]));
      clock.time += 24 * HOUR;
      assert.equal(await approvals.cancelChanged(policyOf([])), 0);
      assert.deepEqual(await kindsTold(), ['opened', 'expired']);
    });
  });

  describe('deciding', () => {
    it('gives a grant that the same check finds, and tells who and why', async () => {
      const { id } = await opened();
      clock.time += HOUR;
      const approved = await approvals.approve(carol, id, 'looks right');
      assert.equal(approved.status, 'approved');
      assert.equal(approved.decided_at, '2026-03-30T11:00:00.000Z');
      assert.deepEqual(approved.grant, { mode: 'once', expires_at: '2026-03-31T11:00:00.000Z' });
      assert.deepEqual(approved.stages[0]?.votes, [
        {
          by: 'user:carol',
          decision: 'approve',
          at: '2026-03-30T11:00:00.000Z',
          comment: 'looks right',
        },
      ]);
      assert.deepEqual(await approvals.get(carol, id), approved);
      assert.equal((await approvals.find(questionOf())).state, 'granted');
      const [, voted, decided] = await told();
      assert.equal(voted?.kind, 'approval.voted');
      assert.equal(decided?.kind, 'approval.approved');
      assert.equal(decided?.actor, 'user:carol');
      assert.equal(decided?.approval_id, id);
      assert.equal(decided?.subject, 'alice');
      assert.equal(decided?.at.getTime(), NOON + HOUR);
      assert.deepEqual(decided?.detail, {
        caller: 'key:carol',
        person: 'user:carol',
        decision: 'approve',
        comment: 'looks right',
      });
    });

    it('takes the vote of each of two persons who race for the last one, or refuses it', async () => {
      const two = { stages: [{ approvers: { roles: ['approver'], users: [] }, count: 2 }] };
      const { id } = await opened(questionOf(checkOf(), [ruleOf('two', two)]));
      const voters = ['b', 'c', 'd', 'e', 'f', 'g'].map(approver);
      const outcomes = await Promise.allSettled(voters.map((each) => approvals.approve(each, id)));
      const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
      assert.equal(refused.length, 4);
      for (const { reason } of refused) assert.ok(reason instanceof AlreadyDecided);
      const { stages, status } = await approvals.get(carol, id);
      assert.equal(status, 'approved');
      assert.equal(stages[0]?.votes.length, 2);
      assert.deepEqual(await kindsTold(), ['opened', 'voted', 'voted', 'approved']);
    });

    it('counts one person once who votes through many calls at a time', async () => {
      const two = { stages: [{ approvers: { roles: ['approver'], users: [] }, count: 2 }] };
      const { id } = await opened(questionOf(checkOf(), [ruleOf('two', two)]));
      const outcomes = await Promise.allSettled(
        Array.from({ length: 10 }, () => approvals.approve(carol, id)),
      );
      assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
      await assert.rejects(approvals.approve(carol, id), Conflict);
      assert.equal((await approvals.get(carol, id)).status, 'pending');
      assert.equal((await approvals.approve(dave, id)).status, 'approved');
    });

    it('refuses the requester through another key that the same person made', async () => {
      const alices = callerOf('erin', { id: 'key:a', user: undefined, systemRoles: ['service'] });
      const { id } = await opened(questionOf(), alices);
      const erin = actingAs(callerOf('erin', { id: 'key:b', systemRoles: ['approver'] }));
      await assert.rejects(approvals.approve(erin, id), SelfApproval);
    });

    it('refuses the subject, approver or not', async () => {
      const { id } = await opened();
      await assert.rejects(approvals.approve(approver('alice'), id), SelfApproval);
      await assert.rejects(approvals.reject(actingAs(callerOf('alice')), id), SelfApproval);
    });

    it('asks for a role in the tenant of the request: held elsewhere it is none', async () => {
      const { id } = await opened();
      const elsewhere = actingAs(callerOf('zoe', { tenant: undefined }), { globex: ['approver'] });
      await assert.rejects(approvals.approve(elsewhere, id), NotAnApprover);
      const here = actingAs(callerOf('zoe', { tenant: undefined }), { acme: ['approver'] });
      assert.equal((await approvals.approve(here, id)).status, 'approved');
    });

    it('takes the system roles of a credential for roles of a stage', async () => {
      const { id } = await opened();
      const key = actingAs(service('pager', ['approver']));
      assert.equal((await approvals.approve(key, id)).status, 'approved');
    });

    it('lets nobody approve by the permissions of an admin alone', async () => {
      const { id } = await opened();
      const admin = actingAs(callerOf('root', { tenant: undefined }), {}, [
        'approvals:read',
        'approvals:cancel',
        'approvals:revoke',
      ]);
      await assert.rejects(approvals.approve(admin, id), NotAnApprover);
    });

    it('does not tell a stranger in the tenant how the request stands', async () => {
      const { id } = await granted();
      const stranger = actingAs(callerOf('zoe'));
      await assert.rejects(approvals.approve(stranger, id), NotAnApprover);
      await assert.rejects(approvals.revoke(stranger, id), NotAnApprover);
      await assert.rejects(approvals.cancel(stranger, id), Forbidden);
      await assert.rejects(approvals.get(stranger, id), NotFound);
    });

    it('does not exist for credentials of other tenants', async () => {
      const { id } = await opened(questionOf(), callerOf('zoe'));
      const abroad = { tenant: 'globex', systemRoles: ['tenant_admin', 'approver'] } as const;
      const zoe = actingAs(callerOf('zoe', abroad), { acme: ['approver'] }, ['approvals:read']);
      for (const verb of ['approve', 'reject', 'cancel', 'revoke', 'get'] as const) {
        await assert.rejects(approvals[verb](zoe, id), NotFound);
        await assert.rejects(approvals[verb](zoe, NOWHERE), NotFound);
      }
      assert.deepEqual(await approvals.list(zoe, {}), { items: [], next: null });
      await assert.rejects(approvals.list(zoe, { tenant: 'acme' }), Forbidden);
    });

    it('finds nothing under an id that is none', async () => {
      for (const id of ['', 'apr_1', `${NOWHERE}0`, "apr_' OR 1=1", '\0'] as const) {
        await assert.rejects(approvals.get(carol, id), NotFound);
        await assert.rejects(approvals.approve(carol, id), NotFound);
      }
    });

    it('refuses a second decision', async () => {
      const { id } = await granted();
      await assert.rejects(approvals.approve(dave, id), AlreadyDecided);
      await assert.rejects(approvals.reject(dave, id), AlreadyDecided);
      await assert.rejects(approvals.cancel(actingAs(ci), id), AlreadyDecided);
    });

    it('takes a vote until the moment of expiry and none at it', async () => {
      const early = await opened();
      const late = await opened(questionOf(checkOf({ action: { name: 'stop', properties: {} } })));
      clock.time = NOON + 24 * HOUR - 1;
      assert.equal((await approvals.get(carol, late.id)).status, 'pending');
      assert.equal((await approvals.approve(carol, early.id)).status, 'approved');
      clock.time = NOON + 24 * HOUR;
      await assert.rejects(approvals.approve(carol, late.id), AlreadyDecided);
      assert.equal((await approvals.get(carol, late.id)).status, 'expired');
    });

    it('refuses comments that cannot be kept', async () => {
      const { id } = await opened();
      for (const comment of [5, null, {}, 'x'.repeat(4_001), 'a\0b', 'a\ud800b']) {
        await assert.rejects(approvals.approve(carol, id, comment), InvalidRequest);
      }
      const approved = await approvals.approve(carol, id, '\u{1F600}'.repeat(4_000));
      assert.equal(approved.stages[0]?.votes[0]?.comment?.length, 8_000);
    });
  });

  describe('rejecting', () => {
    it('answers until the request would have expired, then the same may be asked again', async () => {
      const { id } = await opened();
      await approvals.reject(carol, id, 'not today');
      const until = NOON + 24 * HOUR;
      clock.time = until - 1;
      assert.deepEqual(await approvals.find(questionOf()), { state: 'rejected', id, until });
      const asked = await approvals.open(questionOf(), { requester: ci, revision: 7 });
      assert.equal(asked.outcome, 'settled');
      clock.time = until;
      assert.deepEqual(await approvals.find(questionOf()), { state: 'none' });
      assert.notEqual((await opened()).id, id);
      assert.equal((await approvals.get(carol, id)).status, 'rejected');
    });
  });

  describe('cancelling and revoking', () => {
    it('is for the requester and for whoever has the permission', async () => {
      const { id } = await opened();
      await assert.rejects(approvals.cancel(carol, id), Forbidden);
      assert.equal((await approvals.cancel(actingAs(ci), id, 'wrong build')).status, 'cancelled');
      assert.deepEqual(await approvals.find(questionOf()), { state: 'none' });
      const second = await opened();
      const admin = actingAs(callerOf('root'), {}, ['approvals:cancel']);
      assert.equal((await approvals.cancel(admin, second.id)).status, 'cancelled');
      assert.deepEqual(await kindsTold(), ['opened', 'cancelled', 'opened', 'cancelled']);
    });

    it('takes a grant back, which no check finds or uses any more', async () => {
      const { id } = await granted();
      await assert.rejects(approvals.revoke(actingAs(ci), id), SelfApproval);
      assert.equal((await approvals.revoke(dave, id, 'found a fault')).status, 'revoked');
      assert.deepEqual(await approvals.find(questionOf()), { state: 'none' });
      assert.equal(await spend(id), false);
      assert.equal((await kindsTold()).at(-1), 'revoked');
    });

    it('says that a pending request has no grant to take back', async () => {
      const { id } = await opened();
      await assert.rejects(approvals.revoke(dave, id), (error) => {
        assert.ok(error instanceof Conflict && !(error instanceof AlreadyDecided));
        return /no grant to revoke/.test(error.message);
      });
    });
  });

  describe('spending', () => {
    it('gives a grant for once to exactly one of two hundred racers', async () => {
      const live = serviceAt();
      const { id } = approvalIn(await live.open(questionOf(), { requester: ci, revision: 7 }));
      await live.approve(carol, id);
      const won = await Promise.all(Array.from({ length: 200 }, () => spend(id, live)));
      assert.equal(won.filter(Boolean).length, 1);
      assert.equal((await live.get(carol, id)).status, 'used');
      assert.deepEqual(await live.find(questionOf()), { state: 'none' });
      assert.deepEqual(await kindsTold(), ['opened', 'voted', 'approved', 'used']);
    });

    it('is undone with the transaction of the decision', async () => {
      const { id } = await granted();
      await assert.rejects(
        db.database.transaction().execute(async (transaction) => {
          const use = { caller: ci, revision: 8, decisionId: 'dec_1' };
          assert.equal(await approvals.spend(transaction, id, use), true);
          throw new Error('the decision could not be recorded');
        }),
      );
      assert.equal(await spend(id), true);
      const used = (await told()).at(-1);
      assert.equal(used?.detail.decision_id, 'dec_1');
      assert.equal(used?.actor, 'key:ci');
      const { grant } = await approvals.get(carol, id);
      assert.equal(grant?.used_at, '2026-03-30T10:00:00.000Z');
    });

    it('uses a grant for a while again and again until its moment', async () => {
      const rule = ruleOf('window', { grant: { mode: 'window', duration: HOUR } });
      const { id } = await granted(questionOf(checkOf(), [rule]));
      clock.time = NOON + HOUR - 1;
      assert.deepEqual([await spend(id), await spend(id)], [true, true]);
      assert.equal((await approvals.find(questionOf(checkOf(), [rule]))).state, 'granted');
      clock.time = NOON + HOUR;
      assert.equal(await spend(id), false);
      assert.deepEqual(await approvals.find(questionOf(checkOf(), [rule])), { state: 'none' });
      assert.equal((await approvals.get(carol, id)).status, 'lapsed');
    });

    it('refuses what is pending, and what is not there', async () => {
      const { id } = await opened();
      assert.deepEqual([await spend(id), await spend(NOWHERE)], [false, false]);
    });
  });

  describe('the sweep', () => {
    it('writes down once what time has ended, and leaves the rest', async () => {
      const at = (id: string) => checkOf({ resource: { type: 'service', id, properties: {} } });
      const short = [
        ruleOf('short', { expiresAfter: HOUR, grant: { mode: 'once', duration: HOUR } }),
      ];
      await opened(questionOf(at('a'), short));
      await opened(questionOf(at('b')));
      await granted(questionOf(at('c'), short));
      clock.time = NOON + HOUR - 1;
      assert.deepEqual(await approvals.sweep(), { expired: 0, lapsed: 0 });
      clock.time = NOON + HOUR;
      const [one, other] = await Promise.all([approvals.sweep(), approvals.sweep()]);
      assert.equal(one.expired + other.expired, 1);
      assert.equal(one.lapsed + other.lapsed, 1);
      assert.deepEqual((await kindsTold()).slice(-2).sort(), ['expired', 'lapsed']);
      assert.deepEqual(await approvals.sweep(), { expired: 0, lapsed: 0 });
    });

    it('passes over what somebody is deciding at this moment', async () => {
      const { id } = await opened();
      await opened(questionOf(checkOf({ tenant: 'globex' })));
      clock.time += 24 * HOUR;
      const impatient = connectDatabase(db.url, { queryTimeout: 2_000 });
      const sweeper = serviceAt(clock, impatient.database);
      try {
        await db.database.transaction().execute(async (transaction) => {
          await sql`SELECT 1 FROM approvals WHERE id = ${id} FOR UPDATE`.execute(transaction);
          assert.deepEqual(await sweeper.sweep(), { expired: 1, lapsed: 0 });
        });
      } finally {
        await impatient.close();
      }
      assert.deepEqual(await approvals.sweep(), { expired: 1, lapsed: 0 });
    });

    it('ends no more at a time than it is told to', async () => {
      for (const id of ['a', 'b', 'c']) {
        await opened(questionOf(checkOf({ resource: { type: 'service', id, properties: {} } })));
      }
      clock.time += 24 * HOUR;
      assert.deepEqual(await approvals.sweep(2), { expired: 2, lapsed: 0 });
      assert.deepEqual(await approvals.sweep(2), { expired: 1, lapsed: 0 });
    });
  });

  describe('listing', () => {
    const of = (id: string, tenant = 'acme', subject = 'alice') =>
      checkOf({
        tenant,
        subject: { type: 'user', id: subject, properties: {} },
        resource: { type: 'service', id, properties: {} },
      });
    const idsOf = async (acting: Acting, listing: Parameters<ApprovalService['list']>[1]) =>
      (await approvals.list(acting, listing)).items.map((item) => item.check.resource.id);
    const reader = (tenant?: string) =>
      actingAs(callerOf('olga', { tenant, user: undefined }), {}, ['approvals:read']);

    it('goes through all of them, newest first, page by page', async () => {
      for (const id of ['a', 'b', 'c', 'd', 'e']) await opened(questionOf(of(id)));
      const seen: string[] = [];
      let after: string | null = null;
      do {
        const page: Awaited<ReturnType<ApprovalService['list']>> = await approvals.list(
          reader('acme'),
          { limit: 2, ...(after === null ? {} : { after }) },
        );
        seen.push(...page.items.map((item) => item.check.resource.id));
        after = page.next;
      } while (after !== null);
      assert.deepEqual(seen, ['e', 'd', 'c', 'b', 'a']);
      for (const wrong of [{ after: 'x' }, { limit: 0 }, { limit: 201 }, { limit: 1.5 }]) {
        await assert.rejects(approvals.list(reader('acme'), wrong), InvalidRequest);
      }
    });

    it('shows a reader its tenant, and a reader of all tenants the one asked for', async () => {
      await opened(questionOf(of('here')));
      await opened(questionOf(of('there', 'globex')));
      assert.deepEqual(await idsOf(reader('acme'), {}), ['here']);
      assert.deepEqual(await idsOf(reader(), {}), ['there', 'here']);
      assert.deepEqual(await idsOf(reader(), { tenant: 'globex' }), ['there']);
    });

    it('shows without that permission what one asked for, is about, voted on or may decide', async () => {
      const lead = {
        stages: [{ approvers: { roles: ['lead'], users: ['user:named'] }, count: 2 }],
      };
      await opened(questionOf(of('theirs'), [ruleOf('lead', lead)]));
      await opened(questionOf(of('asked'), [ruleOf('lead', lead)]), callerOf('zoe'));
      await opened(questionOf(of('about', 'acme', 'zoe'), [ruleOf('lead', lead)]));
      const zoe = actingAs(callerOf('zoe'));
      assert.deepEqual(await idsOf(zoe, {}), ['about', 'asked']);
      assert.deepEqual(await idsOf(zoe, { view: 'mine' }), ['about', 'asked']);
      assert.deepEqual(await idsOf(zoe, { view: 'inbox' }), []);
      assert.deepEqual(await idsOf(actingAs(callerOf('yan')), {}), []);
      const former = actingAs(callerOf('xia'), { acme: ['lead'] });
      const voted = await idsOf(former, { view: 'inbox' });
      assert.deepEqual(voted, ['about', 'asked', 'theirs']);
      const [first] = (await approvals.list(former, { view: 'inbox' })).items;
      await approvals.approve(former, first?.id ?? '');
      assert.deepEqual(await idsOf(actingAs(callerOf('xia')), {}), ['about']);
      assert.deepEqual((await idsOf(actingAs(callerOf('named')), {})).length, 3);
    });

    it('keeps in the inbox what the caller can decide now, and nothing else', async () => {
      const stages = [
        { approvers: { roles: ['lead'], users: [] }, count: 1 },
        { approvers: { roles: ['approver'], users: [] }, count: 1 },
      ];
      const two = [ruleOf('two', { stages })];
      const { id } = await opened(questionOf(of('later'), two));
      await opened(questionOf(of('now')));
      await opened(questionOf(of('own')), callerOf('carol'));
      await opened(questionOf(of('about', 'acme', 'carol')));
      await opened(questionOf(of('abroad', 'globex')));
      const inbox = { view: 'inbox' } as const;
      assert.deepEqual(await idsOf(carol, inbox), ['now']);
      await approvals.approve(actingAs(callerOf('erin'), { acme: ['lead', 'approver'] }), id);
      assert.deepEqual(await idsOf(carol, inbox), ['now', 'later']);
      const both = actingAs(callerOf('erin'), { acme: ['lead', 'approver'] });
      assert.ok(!(await idsOf(both, inbox)).includes('later'), 'has voted');
      clock.time += 24 * HOUR;
      assert.deepEqual(await idsOf(carol, inbox), []);
    });

    it('finds the inbox of a user over all tenants by its roles in each', async () => {
      await opened(questionOf(of('here')));
      await opened(questionOf(of('there', 'globex')));
      await opened(questionOf(of('nowhere', 'initech')));
      const zoe = actingAs(callerOf('zoe', { tenant: undefined }), {
        acme: ['approver'],
        globex: ['approver'],
        initech: ['reader'],
      });
      assert.deepEqual(await idsOf(zoe, { view: 'inbox' }), ['there', 'here']);
      assert.deepEqual(await idsOf(zoe, { view: 'inbox', tenant: 'acme' }), ['here']);
    });

    it('filters by the status as it is, before and after the sweep', async () => {
      const short = [
        ruleOf('short', { expiresAfter: HOUR, grant: { mode: 'window', duration: HOUR } }),
      ];
      await opened(questionOf(of('pending')));
      await opened(questionOf(of('overdue'), short));
      await granted(questionOf(of('approved')));
      await granted(questionOf(of('over'), short));
      const { id } = await opened(questionOf(of('rejected')));
      await approvals.reject(carol, id);
      clock.time += HOUR;
      for (const sweep of [false, true]) {
        if (sweep) await approvals.sweep();
        const all = await approvals.list(reader('acme'), {});
        for (const { status, check } of all.items) {
          assert.deepEqual(await idsOf(reader('acme'), { status }), [check.resource.id], status);
        }
        const statuses = all.items.map(({ status }) => status);
        assert.deepEqual(statuses, ['rejected', 'lapsed', 'approved', 'expired', 'pending']);
      }
    });

    it('lists for everyone exactly what they may read one by one', async () => {
      const lead = { stages: [{ approvers: { roles: ['lead'], users: ['dora'] }, count: 1 }] };
      const made = [
        await opened(questionOf(of('a')), callerOf('zoe')),
        await opened(questionOf(of('b', 'acme', 'zoe'))),
        await opened(questionOf(of('c'), [ruleOf('lead', lead)])),
        await opened(questionOf(of('d', 'globex'), [ruleOf('lead', lead)])),
        await granted(questionOf(of('e'))),
      ];
      const everyone = [
        carol,
        actingAs(callerOf('zoe')),
        actingAs(callerOf('zoe', { tenant: undefined })),
        actingAs(callerOf('dora', { tenant: undefined })),
        actingAs(callerOf('lee', { tenant: undefined }), { globex: ['lead'] }),
        actingAs(service('pager', ['approver'])),
        actingAs(callerOf('zoe', { user: undefined })),
        actingAs(callerOf('yan')),
        reader('globex'),
        reader(),
      ];
      for (const acting of everyone) {
        const readable: string[] = [];
        for (const { id } of made) {
          await approvals.get(acting, id).then(
            () => readable.unshift(id),
            () => {},
          );
        }
        const listed = (await approvals.list(acting, {})).items.map(({ id }) => id);
        assert.deepEqual(listed, readable, acting.caller.id);
      }
    });
  });
});
