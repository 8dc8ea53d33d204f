import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Approval, ApprovalStage } from '../../src/approvals/approval.js';
import type { Voter } from '../../src/approvals/eligibility.js';
import { joinTerms } from '../../src/approvals/joined-terms.js';
import { type ApprovalEvent, atTime, transition } from '../../src/approvals/state-machine.js';
import { checkOf, HOUR, NOON, ruleOf } from './fixtures.js';

function pendingWith(
  stages: readonly Omit<ApprovalStage, 'votes'>[],
  changes: Partial<Approval> = {},
): Approval {
  const { expiresAfter, ...terms } = joinTerms([ruleOf('r', { stages })]);
  return {
    id: 'apr_1',
    tenant: 'acme',
    status: 'pending',
    reason: undefined,
    requester: 'key:ci',
    check: checkOf(),
    ...terms,
    openedAt: NOON,
    expiresAt: NOON + expiresAfter,
    decidedAt: undefined,
    revision: 1,
    ...changes,
  };
}

const byRole = (role: string, count = 1) => ({ approvers: { roles: [role], users: [] }, count });
const byUser = (...users: string[]) => ({ approvers: { roles: [], users }, count: 1 });
const voter = (user: string, ...roles: string[]): Voter => ({
  person: `user:${user}`,
  user,
  roles,
});
const approve = (by: Voter): ApprovalEvent => ({
  type: 'vote',
  decision: 'approve',
  by,
  comment: undefined,
});
const reject = (by: Voter): ApprovalEvent =>
  ({ ...approve(by), decision: 'reject' }) as ApprovalEvent;

function after(approval: Approval, ...events: ApprovalEvent[]): Approval {
  return events.reduce((current, event) => {
    const outcome = transition(current, event, NOON);
    assert.ok('next' in outcome, `refused: ${JSON.stringify(outcome)}`);
    return outcome.next;
  }, approval);
}

function refusalOf(approval: Approval, event: ApprovalEvent, now = NOON): string | undefined {
  const outcome = transition(approval, event, now);
  return 'refused' in outcome ? outcome.refused : undefined;
}

const carol = voter('carol', 'approver');
const dave = voter('dave', 'approver');

describe('the states of an approval', () => {
  const one = pendingWith([byRole('approver')]);

  it('is approved when the only stage has its count', () => {
    const outcome = transition(one, approve(carol), NOON + 5);
    assert.ok('next' in outcome);
    assert.equal(outcome.next.status, 'approved');
    assert.equal(outcome.next.decidedAt, NOON + 5);
    assert.equal(outcome.next.grant.expiresAt, NOON + 5 + 24 * HOUR);
    assert.deepEqual(outcome.steps, ['voted', 'approved']);
  });

  it('is rejected by one rejection, whatever was approved before', () => {
    const rejected = after(pendingWith([byRole('approver', 3)]), approve(carol), reject(dave));
    assert.equal(rejected.status, 'rejected');
    assert.deepEqual(
      rejected.stages[0]?.votes.map((vote) => vote.decision),
      ['approve', 'reject'],
    );
  });

  it('takes stages in the order listed', () => {
    const two = pendingWith([byRole('lead'), byRole('approver')]);
    assert.equal(refusalOf(two, approve(carol)), 'not_an_approver');
    const second = after(two, approve(voter('erin', 'lead')));
    assert.equal(after(second, approve(carol)).status, 'approved');
  });

  it('counts a person once over all stages, through whichever credential', () => {
    const two = pendingWith([byRole('approver'), byRole('approver')]);
    const once = after(two, approve(carol));
    const otherKey: Voter = { person: 'user:carol', user: undefined, roles: ['approver'] };
    assert.equal(refusalOf(once, approve(carol)), 'already_voted');
    assert.equal(refusalOf(once, reject(otherKey)), 'already_voted');
    assert.equal(after(once, approve(dave)).status, 'approved');
  });

  it('refuses the person who asked, through whichever credential', () => {
    const asked = pendingWith([byRole('approver')], { requester: 'user:carol' });
    assert.equal(refusalOf(asked, approve(carol)), 'self_approval');
    const madeByCarol: Voter = { person: 'user:carol', user: undefined, roles: ['approver'] };
    assert.equal(refusalOf(asked, approve(madeByCarol)), 'self_approval');
  });

  it('refuses the subject, also where somebody else asked', () => {
    assert.equal(refusalOf(one, approve(voter('alice', 'approver'))), 'self_approval');
    const aliceKey: Voter = { person: 'user:alice', user: undefined, roles: ['approver'] };
    assert.equal(refusalOf(one, reject(aliceKey)), 'self_approval');
  });

  it('does not take a subject of another type for the user of that name', () => {
    const check = checkOf({ subject: { type: 'service', id: 'carol', properties: {} } });
    assert.equal(after({ ...one, check }, approve(carol)).status, 'approved');
  });

  it('takes users named with and without their type', () => {
    for (const name of ['carol', 'user:carol']) {
      assert.equal(after(pendingWith([byUser(name)]), approve(voter('carol'))).status, 'approved');
    }
    assert.equal(refusalOf(pendingWith([byUser('carol')]), approve(dave)), 'not_an_approver');
  });

  it('does not take the person behind a key for its user', () => {
    const keyOfCarol: Voter = { person: 'user:carol', user: undefined, roles: [] };
    assert.equal(refusalOf(pendingWith([byUser('carol')]), approve(keyOfCarol)), 'not_an_approver');
  });

  it('says first that a request is over, then whose it is, then who may', () => {
    const own = pendingWith([byRole('approver')], { requester: 'user:zoe' });
    const zoe = voter('zoe');
    assert.equal(refusalOf({ ...own, status: 'cancelled' }, approve(zoe)), 'already_decided');
    assert.equal(refusalOf(own, approve(zoe)), 'self_approval');
    assert.equal(refusalOf(one, approve(zoe)), 'not_an_approver');
  });

  it('expires at its very moment and not before', () => {
    const { expiresAt } = one;
    assert.equal(atTime(one, expiresAt - 1).status, 'pending');
    assert.equal(atTime(one, expiresAt).status, 'expired');
    assert.equal(refusalOf(one, approve(carol), expiresAt - 1), undefined);
    assert.equal(refusalOf(one, approve(carol), expiresAt), 'already_decided');
  });

  it('lapses at the very moment at which the grant ends and not before', () => {
    const approved = after(one, approve(carol));
    const end = approved.grant.expiresAt ?? 0;
    assert.equal(refusalOf(approved, { type: 'spend' }, end - 1), undefined);
    assert.equal(refusalOf(approved, { type: 'spend' }, end), 'already_decided');
    assert.equal(atTime(approved, end).status, 'lapsed');
  });

  it('is cancelled by the requester or who is permitted to, while it is pending', () => {
    const cancel = (person: string, permitted: boolean): ApprovalEvent => ({
      type: 'cancel',
      by: { person, user: undefined, roles: [] },
      permitted,
    });
    assert.equal(after(one, cancel('key:ci', false)).status, 'cancelled');
    assert.equal(after(one, cancel('key:admin', true)).status, 'cancelled');
    assert.equal(refusalOf(one, cancel('user:alice', false)), 'not_theirs');
    assert.equal(refusalOf(after(one, approve(carol)), cancel('key:ci', false)), 'already_decided');
  });

  it('is revoked by whoever could decide a stage or is permitted to, once approved', () => {
    const revoke = (by: Voter, permitted = false): ApprovalEvent => ({
      type: 'revoke',
      by,
      permitted,
    });
    const approved = after(
      pendingWith([byUser('erin'), byRole('approver')]),
      approve(voter('erin')),
      approve(carol),
    );
    assert.equal(after(approved, revoke(voter('erin'))).status, 'revoked');
    assert.equal(after(approved, revoke(carol)).status, 'revoked');
    assert.equal(after(approved, revoke(voter('zoe'), true)).status, 'revoked');
    assert.equal(refusalOf(approved, revoke(voter('zoe'))), 'not_an_approver');
    assert.equal(refusalOf(approved, revoke(voter('alice', 'approver'))), 'self_approval');
    assert.equal(refusalOf(one, revoke(carol)), 'still_pending');
    assert.equal(refusalOf(after(approved, { type: 'spend' }), revoke(carol)), 'already_decided');
  });

  it('keeps a grant for a while when it is used, and ends one for once', () => {
    const grant = {
      mode: 'window',
      duration: HOUR,
      expiresAt: undefined,
      usedAt: undefined,
    } as const;
    const window = after(pendingWith([byRole('approver')], { grant }), approve(carol));
    assert.equal(after(window, { type: 'spend' }, { type: 'spend' }).status, 'approved');
    assert.equal(after(one, approve(carol), { type: 'spend' }).status, 'used');
  });

  it('is cancelled when the policy changes under it, and says why', () => {
    const changed = after(one, { type: 'policy_change' });
    assert.deepEqual([changed.status, changed.reason], ['cancelled', 'policy_changed']);
    assert.equal(
      refusalOf(after(one, approve(carol)), { type: 'policy_change' }),
      'already_decided',
    );
  });
});

describe('any sequence of events', () => {
  const people = ['alice', 'bob', 'carol', 'dave', 'erin'];
  const anyVoter: fc.Arbitrary<Voter> = fc.record({
    person: fc.constantFrom(...people.map((name) => `user:${name}`), 'key:ci'),
    user: fc.option(fc.constantFrom(...people), { nil: undefined }),
    roles: fc.subarray(['approver', 'lead']),
  });
  const anyEvent: fc.Arbitrary<ApprovalEvent> = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        type: fc.constant('vote' as const),
        decision: fc.constantFrom(
          'approve',
          'approve',
          'approve',
          'reject',
        ) as fc.Arbitrary<'approve'>,
        by: anyVoter,
        comment: fc.constant(undefined),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        type: fc.constantFrom('cancel' as const, 'revoke' as const),
        by: anyVoter,
        permitted: fc.boolean(),
      }),
    },
    { weight: 1, arbitrary: fc.constant<ApprovalEvent>({ type: 'spend' }) },
    { weight: 1, arbitrary: fc.constant<ApprovalEvent>({ type: 'time' }) },
    { weight: 1, arbitrary: fc.constant<ApprovalEvent>({ type: 'policy_change' }) },
  );
  const anyStage = fc.record({
    approvers: fc.record({
      roles: fc.subarray(['approver', 'lead'], { minLength: 1 }),
      users: fc.subarray(people),
    }),
    count: fc.integer({ min: 1, max: 2 }),
  });
  const allowed: Record<string, readonly string[]> = {
    pending: ['pending', 'approved', 'rejected', 'expired', 'cancelled'],
    approved: ['approved', 'used', 'lapsed', 'revoked'],
  };

  it('keeps the promises of an approval', () => {
    fc.assert(
      fc.property(
        fc.array(anyStage, { minLength: 1, maxLength: 3 }),
        fc.array(fc.tuple(anyEvent, fc.nat(3 * HOUR)), { maxLength: 25 }),
        fc.constantFrom('once', 'window'),
        (stages, events, mode) => {
          const grant = { mode, duration: 6 * HOUR, expiresAt: undefined, usedAt: undefined };
          let approval = pendingWith(stages, { grant, requester: 'user:bob' });
          let now = NOON;
          let spent = 0;
          for (const [event, wait] of events) {
            now += wait;
            const outcome = transition(approval, event, now);
            if ('refused' in outcome) continue;
            const { next } = outcome;
            assert.ok(allowed[approval.status]?.includes(next.status), `left ${approval.status}`);
            if (event.type === 'spend') spent += 1;
            approval = next;
          }
          const votes = approval.stages.flatMap((stage) => stage.votes);
          assert.equal(new Set(votes.map((vote) => vote.by)).size, votes.length, 'counted twice');
          assert.ok(
            !votes.some((vote) => ['user:alice', 'user:bob'].includes(vote.by)),
            'own vote',
          );
          const met = approval.stages.map(
            ({ votes: cast, count }) =>
              cast.filter((vote) => vote.decision === 'approve').length >= count,
          );
          const granted = ['approved', 'used', 'lapsed', 'revoked'].includes(approval.status);
          assert.equal(granted, met.every(Boolean), 'approved, and every count met, are one');
          assert.equal(granted, approval.grant.expiresAt !== undefined);
          const open = met.indexOf(false);
          const later = open === -1 ? [] : approval.stages.slice(open + 1);
          assert.ok(
            later.every((stage) => stage.votes.length === 0),
            'voted ahead of its turn',
          );
          if (mode === 'once') assert.ok(spent <= 1, 'spent twice');
        },
      ),
      { numRuns: 1_000 },
    );
  });
});
