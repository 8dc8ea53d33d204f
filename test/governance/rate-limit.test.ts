import assert from 'node:assert/strict';
import { compileGovernanceFile } from '../../src/governance/governance-file.js';
import type { RateLimitRule } from '../../src/governance/governance-rule.js';
import { demandsOf } from '../../src/governance/rate-limit.js';
import type { Check } from '../../src/vocabulary.js';

function rule(rest: string, id = 'quota'): RateLimitRule {
  const text = `rules: [{id: "${id}", kind: rate-limit, ${rest}}]`;
  const { rules, faults } = compileGovernanceFile('governance/a.yaml', text);
  assert.deepEqual(faults, []);
  const [compiled] = rules;
  assert.ok(compiled?.kind === 'rate-limit');
  return compiled;
}

function check(over: Partial<Check> = {}): Check {
  return {
    tenant: 'acme',
    subject: { type: 'user', id: 'alice', properties: {} },
    action: { name: 'export', properties: {} },
    resource: { type: 'document', id: '1', properties: {} },
    context: {},
    ...over,
  };
}

const counters = (of: RateLimitRule, asked: Check) =>
  demandsOf([{ rule: of }], asked, []).map(({ counter }) => counter);

describe('what a check takes from limits', () => {
  const both = 'limits: [{per: hour, count: 100}, {per: day, count: 500}]';

  it('is one unit of each limit of each rule', () => {
    const demands = demandsOf([{ rule: rule(both) }, { rule: rule(both, 'other') }], check(), []);
    assert.deepEqual(
      demands.map(({ ruleId, periodMs, count, tenant }) => [ruleId, periodMs, count, tenant]),
      [
        ['quota', 3_600_000, 100, 'acme'],
        ['quota', 86_400_000, 500, 'acme'],
        ['other', 3_600_000, 100, 'acme'],
        ['other', 86_400_000, 500, 'acme'],
      ],
    );
    assert.equal(new Set(demands.map(({ counter }) => counter)).size, 4);
  });

  it('goes by the largest limit that a role gives for the period, be it smaller than the plain one', () => {
    const limited = rule(
      `${both}, by_role: {admin: [{per: hour, count: 1000}], lead: [{per: hour, count: 300}], guest: [{per: hour, count: 5}]}`,
    );
    const countsFor = (...roles: string[]) =>
      demandsOf([{ rule: limited }], check(), roles).map(({ count }) => count);
    assert.deepEqual(countsFor('lead', 'admin'), [1_000, 500]);
    assert.deepEqual(countsFor('guest'), [5, 500]);
    assert.deepEqual(countsFor('constructor', 'viewer'), [100, 500]);
  });

  it('counts by subject unless the rule says otherwise', () => {
    const bob = check({ subject: { type: 'user', id: 'bob', properties: {} } });
    const other = check({ resource: { type: 'document', id: '2', properties: {} } });
    const bySubject = rule(both);
    assert.notDeepEqual(counters(bySubject, check()), counters(bySubject, bob));
    assert.deepEqual(counters(bySubject, check()), counters(bySubject, other));
    const byTenant = rule(`${both}, key: tenant`);
    assert.deepEqual(counters(byTenant, check()), counters(byTenant, bob));
    assert.notDeepEqual(
      counters(byTenant, check()),
      counters(byTenant, check({ tenant: 'globex' })),
    );
    const byResource = rule(`${both}, key: resource`);
    assert.deepEqual(counters(byResource, check()), counters(byResource, bob));
    assert.notDeepEqual(counters(byResource, check()), counters(byResource, other));
  });

  it('never counts two things as one, whatever their ids', () => {
    const bySubject = rule(both);
    const robot = check({ subject: { type: 'service', id: 'x', properties: {} } });
    for (const id of ['x', 'service:x']) {
      const user = check({ subject: { type: 'user', id, properties: {} } });
      assert.notDeepEqual(counters(bySubject, robot), counters(bySubject, user));
    }
    assert.notDeepEqual(counters(rule(both, 'a,b'), check()), counters(rule(both, 'a'), check()));
  });

  it('keeps its counters when the rule is edited', () => {
    const edited = rule('limits: [{per: hour, count: 7}], match: {actions: [export]}');
    assert.deepEqual(counters(edited, check()), counters(rule(both), check()).slice(0, 1));
  });
});
