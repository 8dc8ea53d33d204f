import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { compileCondition } from '../../src/governance/condition.js';
import { GovernanceIndex } from '../../src/governance/governance-index.js';
import type {
  ConditionInput,
  GovernanceRule,
  Match,
} from '../../src/governance/governance-rule.js';
import { compileMatch } from '../../src/governance/match.js';

function rule(id: string, match: Match, when?: string): GovernanceRule {
  const compiled = when === undefined ? undefined : compileCondition(when);
  assert.ok(compiled === undefined || !('faults' in compiled));
  return {
    id,
    kind: 'require-comment',
    comment: { minLength: 1 },
    match,
    digest: id,
    source: { file: 'governance/a.yaml', line: 1 },
    ...(compiled === undefined ? {} : { when: compiled }),
  };
}

function input(tenant: string, over: Partial<ConditionInput> = {}): ConditionInput {
  return {
    check: {
      tenant,
      subject: { type: 'user', id: 'alice', properties: {} },
      action: { name: 'deploy', properties: {} },
      resource: { type: 'service', id: 'billing', properties: { environment: 'prod' } },
      context: {},
    },
    roles: [],
    now: 0,
    ...over,
  };
}

const idsFor = (rules: GovernanceRule[], asked: ConditionInput) =>
  new GovernanceIndex(rules).applicable(asked).map((applied) => applied.rule.id);

describe('the index of governance rules', () => {
  it('finds the rules for a tenant and those for all, in the order of the bundle', () => {
    const rules = [
      rule('everywhere', {}),
      rule('acme', { tenants: ['acme', 'initech'] }),
      rule('globex', { tenants: ['globex'] }),
      rule('pattern', { tenants: ['ac*'] }),
      rule('mixed', { tenants: ['globex', 'a*'] }),
    ];
    assert.deepEqual(idsFor(rules, input('acme')), ['everywhere', 'acme', 'pattern', 'mixed']);
    assert.deepEqual(idsFor(rules, input('globex')), ['everywhere', 'globex', 'mixed']);
    assert.deepEqual(idsFor(rules, input('acorn')), ['everywhere', 'pattern', 'mixed']);
    assert.deepEqual(idsFor(rules, input('nowhere')), ['everywhere']);
    assert.deepEqual(idsFor(rules, input('constructor')), ['everywhere']);
  });

  it('applies a rule whose condition is true, and one whose condition cannot be evaluated', () => {
    const rules = [
      rule('true', {}, 'resource.properties.environment == "prod"'),
      rule('false', {}, 'resource.properties.environment == "test"'),
      rule('broken', {}, 'context.absent == 1'),
    ];
    const applied = new GovernanceIndex(rules).applicable(input('acme'));
    assert.deepEqual(
      applied.map(({ rule: { id }, failed }) => ({ id, failed })),
      [
        { id: 'true', failed: undefined },
        { id: 'broken', failed: '`absent` is absent' },
      ],
    );
  });

  it('asks no condition of a rule that does not match', () => {
    assert.deepEqual(
      idsFor([rule('other', { actions: ['read'] }, 'context.absent')], input('a')),
      [],
    );
  });

  it('finds just what each rule by itself matches', () => {
    const tenant = fc.constantFrom('acme', 'globex', 'a', 'constructor');
    const pattern = fc.constantFrom('acme', 'globex', 'a', 'a*', '*', '*e*');
    const tenants = fc.option(fc.uniqueArray(pattern, { minLength: 1, maxLength: 3 }), {
      nil: undefined,
    });
    fc.assert(
      fc.property(fc.array(tenants, { maxLength: 6 }), tenant, (matches, asked) => {
        const rules = matches.map((given, index) =>
          rule(String(index), given === undefined ? {} : { tenants: given }),
        );
        const expected = rules.filter(({ match }) => compileMatch(match)(input(asked).check, []));
        assert.deepEqual(
          idsFor(rules, input(asked)),
          expected.map(({ id }) => id),
        );
      }),
    );
  });
});
