import assert from 'node:assert/strict';
import {
  bundleOf,
  domainsWorkload,
  KEY_MATCHES,
  keyMatchWorkload,
  rbacWorkload,
  type Workload,
} from '../../bench/workloads.js';
import { cerbosPolicy } from '../../bench/servers/cerbos-policy.js';
import { compileBundle } from '../../src/policy/compile-bundle.js';
import { engineOf } from '../engine/support.js';

/** How many checks are decided how, by the reference engine. */
function decisionsOf({ model, rules, checks }: Workload): Record<string, number> {
  const engine = engineOf(model, rules);
  const counts: Record<string, number> = {};
  for (const check of checks) {
    const answer = engine.decide(check);
    const word = answer.effect === 'deny' && answer.explicit ? 'explicit deny' : answer.effect;
    counts[word] = (counts[word] ?? 0) + 1;
  }
  return counts;
}

describe('the workloads of the benchmarks', () => {
  it('have as many rules as asked for, in tenants of 1,000', () => {
    const { rules } = rbacWorkload(3_000);
    assert.equal(rules.length, 3_000);
    const tenants = new Set(rules.map((rule) => rule[rule[0] === 'p' ? 2 : 3]));
    assert.deepEqual([...tenants], ['tenant-0', 'tenant-1', 'tenant-2']);
  });

  it('are all allowed where that is asked for', () => {
    assert.deepEqual(decisionsOf(rbacWorkload(200, { checks: 180, allowed: true })), {
      allow: 180,
    });
  });

  it('are allowed and denied, for want of a rule and by one, where it is not', () => {
    const counts = decisionsOf(rbacWorkload(200, { checks: 400 }));
    assert.deepEqual(Object.keys(counts).sort(), ['allow', 'deny', 'explicit deny']);
    assert.equal(counts['deny'], 20);
  });

  it("are decided nearly as often by Casbin's own model, which denies nobody", () => {
    const workload = domainsWorkload(200, { checks: 400 });
    assert.equal(workload.rules.length, 200);
    assert.deepEqual(decisionsOf(workload), { allow: 360, deny: 40 });
  });

  for (const name of KEY_MATCHES) {
    it(`find a rule for three of four paths with ${name}`, () => {
      const { model, rules, checks } = keyMatchWorkload(name, 1_000);
      const counts = decisionsOf({ model, rules, checks: checks.slice(0, 40) });
      assert.deepEqual(counts, { allow: 30, deny: 10 });
    });
  }

  it('make a bundle without faults', () => {
    const compiled = compileBundle(bundleOf(rbacWorkload(100)), { shippedModels: new Map() });
    assert.deepEqual('faults' in compiled ? compiled.faults : [], []);
  });

  it('send Cerbos the roles that a user has, inherited ones too', () => {
    const workload = rbacWorkload(1_000, { checks: 1 });
    const [check] = workload.checks;
    assert.ok(check !== undefined, 'there is a check');
    const asked = cerbosPolicy(workload).body({
      ...check,
      subject: { type: 'user', id: 'user-49', properties: {} },
    });
    assert.ok('principal' in asked, 'the request names a principal');
    assert.deepEqual(asked.principal, {
      id: 'user-49',
      roles: ['role-49', 'role-12', 'role-2', 'role-0'],
    });
  });
});
