import assert from 'node:assert/strict';
import { joinTerms } from '../../src/approvals/joined-terms.js';
import { HOUR, ruleOf } from './fixtures.js';

describe('one request for several rules', () => {
  const managers = { approvers: { roles: ['manager'], users: [] }, count: 2 };
  const carol = { approvers: { roles: [], users: ['carol'] }, count: 1 };
  const window = ruleOf('window', {
    stages: [managers],
    expiresAfter: 4 * HOUR,
    grant: { mode: 'window', duration: 8 * HOUR },
  });
  const once = ruleOf('once', {
    risk: 'high',
    stages: [carol, managers],
    expiresAfter: 8 * HOUR,
    grant: { mode: 'once', duration: 2 * HOUR },
  });

  it('takes all stages in the order of the rules', () => {
    const expected = [carol, managers, managers].map((stage) => ({ ...stage, votes: [] }));
    assert.deepEqual(joinTerms([once, window]).stages, expected);
  });

  it('takes the shortest expiry and the shortest grant', () => {
    const joined = joinTerms([window, once]);
    assert.equal(joined.expiresAfter, 4 * HOUR);
    assert.equal(joined.grant.duration, 2 * HOUR);
  });

  it('grants once if any rule says so, for a while if all do', () => {
    assert.equal(joinTerms([window, once]).grant.mode, 'once');
    assert.equal(joinTerms([window]).grant.mode, 'window');
  });

  it('keeps the digest and the risk of each rule', () => {
    assert.deepEqual(joinTerms([window, once]).rules, [
      { id: 'window', digest: window.digest, risk: 'medium' },
      { id: 'once', digest: once.digest, risk: 'high' },
    ]);
  });
});
