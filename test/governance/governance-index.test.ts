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

  it('knows whether any rule may go by the roles of a subject', () => {
    const limit = (byRole: object): GovernanceRule => ({
      ...rule('limit', {}),
      kind: 'rate-limit',
      rate: { limits: [{ per: 'hour', count: 1 }], byRole: { ...byRole }, key: 'subject' },
    });
    const reads = (...rules: GovernanceRule[]) => new GovernanceIndex(rules).mayReadRoles;
    assert.equal(reads(), false);
    assert.equal(reads(rule('a', { tenants: ['acme'], subjects: ['*'] }), limit({})), false);
    assert.equal(reads(rule('a', {}), rule('b', { roles: ['admin'] })), true);
    assert.equal(reads(rule('a', {}, '"admin" in roles'), rule('b', {})), true);
    // One that loops is too much where there are too many roles, whatever it loops over.
    assert.equal(reads(rule('a', {}, 'context.ids.all(id, id != "x")')), true);
    assert.equal(reads(limit({ admin: [{ per: 'hour', count: 2 }] }), rule('b', {})), true);
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

  it('looks up actions and types of resources, wildcards and several at once', () => {
    const rules = [
      rule('any', { actions: ['*'] }),
      rule('database', { actions: ['db:*'] }),
      rule('deploys', { actions: ['deploy', 'release'], resources: ['service:*'] }),
      rule('one', { resources: ['service:billing', 'service:b*'] }),
      rule('other', { resources: ['service:shop', 'document:*'] }),
      rule('like', { resources: ['serv*', 'document:1'] }),
      rule('acme', { tenants: ['acme'], resources: ['*:billing'] }),
      rule('nothing', { resources: ['service'] }),
    ];
    assert.deepEqual(idsFor(rules, input('acme')), ['any', 'deploys', 'one', 'like', 'acme']);
    assert.deepEqual(idsFor(rules, input('globex')), ['any', 'deploys', 'one', 'like']);
  });

  it('takes rules with long lists of everything, without filing them under each combination', () => {
    const many = (prefix: string) => Array.from({ length: 2_000 }, (_, i) => `${prefix}${i}`);
    const long = { tenants: many('t'), actions: many('a'), resources: many('type') };
    const typed = { ...long, resources: long.resources.map((type) => `${type}:*`) };
    const asked = input('t1999');
    const { check } = asked;
    const fits = {
      ...asked,
      check: {
        ...check,
        action: { ...check.action, name: 'a7' },
        resource: { ...check.resource, type: 'type8' },
      },
    };
    assert.deepEqual(idsFor([rule('long', typed)], fits), ['long']);
    assert.deepEqual(idsFor([rule('long', typed)], asked), []);
    const { actions: _, ...shorter } = typed;
    assert.deepEqual(idsFor([rule('shorter', shorter)], fits), ['shorter']);
    assert.deepEqual(idsFor([rule('shorter', shorter)], input('t2000')), []);
    assert.deepEqual(idsFor([rule('shorter', shorter)], asked), []);
  });

  describe('agrees with trying one rule after the other', () => {
    const someOf = (...patterns: string[]) =>
      fc.option(fc.uniqueArray(fc.constantFrom(...patterns), { minLength: 1, maxLength: 3 }), {
        nil: undefined,
      });
    const match: fc.Arbitrary<Match> = fc
      .record({
        tenants: someOf('acme', 'globex', 'a', 'a*', '*', '*e*', 'acme*'),
        subjects: someOf('alice', 'user:alice', 'user:*', 'a*', '*:alice', 'robot:*', '*', '*i:*'),
        roles: someOf('admin', 'ops_rw', 'ops_*', '*'),
        actions: someOf('read', 'db:drop', 'db:*', '*', '*:drop', 'constructor', 're*d'),
        resources: someOf(
          'document:1',
          'document:*',
          'doc*',
          'doc*:1',
          '*',
          '*:1',
          'service:a:b',
          'service:a:*',
          'document:',
          'document:*1*',
          '**',
        ),
      })
      .map((given) => {
        const members = Object.entries(given).filter(([, patterns]) => patterns !== undefined);
        return Object.fromEntries(members);
      });
    const check = fc.record({
      tenant: fc.constantFrom('acme', 'globex', 'a', 'constructor'),
      subject: fc.record({
        type: fc.constantFrom('user', 'robot'),
        id: fc.constantFrom('alice', 'bob', 'user:alice', 'a*', 'robot:x'),
        properties: fc.constant({}),
      }),
      action: fc.record({
        name: fc.constantFrom('read', 'db:drop', 'db:', 'constructor', 'db', '*'),
        properties: fc.constant({}),
      }),
      resource: fc.record({
        type: fc.constantFrom('document', 'service', 'doc'),
        id: fc.constantFrom('1', '11', 'a:b', 'a:', 'document:1'),
        properties: fc.constant({}),
      }),
      context: fc.constant({}),
    });
    const roles = fc.subarray(['admin', 'ops_rw', 'viewer']);
    const condition = fc.constantFrom(undefined, 'true', 'false', 'subject.id == "alice"');

    function naivelyFits(match: Match, { check, roles }: ConditionInput): boolean {
      const { tenant, subject, action, resource } = check;
      const any = (patterns: readonly string[] | undefined, ...texts: string[]) =>
        patterns?.some((pattern) => texts.some((text) => naivelyMatches(pattern, text))) ?? true;
      const key = `${subject.type}:${subject.id}`;
      const bare = match.subjects?.filter((pattern) => !pattern.includes(':'));
      return (
        any(match.tenants, tenant) &&
        (any(match.subjects, key) || (subject.type === 'user' && any(bare, subject.id))) &&
        any(match.roles, ...roles) &&
        any(match.actions, action.name) &&
        any(match.resources, `${resource.type}:${resource.id}`)
      );
    }

    /** Ids hold no newlines, which `.` does not fit. */
    function naivelyMatches(pattern: string, text: string): boolean {
      return new RegExp(`^${pattern.replaceAll('*', '.*')}$`).test(text);
    }

    it('in which rules apply, and in their order', () => {
      const rules = fc.array(fc.tuple(match, condition), { maxLength: 12 });
      fc.assert(
        fc.property(rules, check, roles, (written, asked, held) => {
          const compiled = written.map(([given, when], index) => rule(String(index), given, when));
          const question = { check: asked, roles: held, now: 0 };
          const expected = compiled.filter(({ match: given, when }) => {
            const outcome = when?.evaluate(question) ?? { value: true };
            return naivelyFits(given, question) && 'value' in outcome && outcome.value;
          });
          assert.deepEqual(
            idsFor(compiled, question),
            expected.map(({ id }) => id),
          );
        }),
        { numRuns: 2_000 },
      );
    });

    it('in what each `match` by itself fits', () => {
      fc.assert(
        fc.property(match, check, roles, (given, asked, held) => {
          const question = { check: asked, roles: held, now: 0 };
          assert.equal(compileMatch(given)(asked, held), naivelyFits(given, question));
        }),
        { numRuns: 3_000 },
      );
    });
  });
});
