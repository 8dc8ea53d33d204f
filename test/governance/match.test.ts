import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { compileMatch } from '../../src/governance/match.js';
import { compileAnyOf, compileWildcard } from '../../src/governance/wildcard.js';
import type { Match } from '../../src/governance/governance-rule.js';
import type { Check } from '../../src/vocabulary.js';

const check: Check = {
  tenant: 'acme',
  subject: { type: 'user', id: 'alice', properties: {} },
  action: { name: 'db:drop', properties: {} },
  resource: { type: 'service', id: 'billing', properties: {} },
  context: {},
};

function fits(match: Match, over: Partial<Check> = {}, roles: string[] = []): boolean {
  return compileMatch(match)({ ...check, ...over }, roles);
}

describe('matching checks', () => {
  it('fits every check where nothing is given', () => {
    assert.equal(fits({}), true);
  });

  it('needs all given members, and any pattern of each', () => {
    const match = { tenants: ['acme'], actions: ['deploy', 'db:*'], resources: ['service:*'] };
    assert.equal(fits(match), true);
    assert.equal(fits(match, { tenant: 'globex' }), false);
    assert.equal(fits(match, { action: { name: 'read', properties: {} } }), false);
    assert.equal(fits(match, { resource: { ...check.resource, type: 'services' } }), false);
  });

  it('compares subjects as type and id, and the bare ids of users', () => {
    const robot = { type: 'service', id: 'alice', properties: {} };
    assert.equal(fits({ subjects: ['user:*'] }), true);
    assert.equal(fits({ subjects: ['user:*'] }, { subject: robot }), false);
    assert.equal(fits({ subjects: ['alice'] }), true);
    assert.equal(fits({ subjects: ['alice'] }, { subject: robot }), false);
    assert.equal(fits({ subjects: ['service:alice'] }, { subject: robot }), true);
    assert.equal(fits({ subjects: ['*'] }, { subject: robot }), true);
  });

  it('compares the roles that the subject holds, wildcards too', () => {
    assert.equal(fits({ roles: ['ops_*'] }, {}, ['viewer', 'ops_rw']), true);
    assert.equal(fits({ roles: ['ops_*'] }, {}, ['viewer']), false);
    assert.equal(fits({ roles: ['*'] }, {}, []), false);
  });

  it('takes everything but `*` for itself', () => {
    assert.equal(compileWildcard('a.c')('abc'), false);
    assert.equal(compileWildcard('a?[b]')('a?[b]'), true);
    assert.equal(compileWildcard('')(''), true);
    assert.equal(compileWildcard('A')('a'), false);
    assert.equal(compileWildcard('ab*ba')('aba'), false);
    assert.equal(compileWildcard('*a*b*')('xxaxxbxx'), true);
    assert.equal(compileWildcard('*a*b*')('xxbxxaxx'), false);
  });

  it('agrees with a regular expression of the same meaning', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', '*', '.'), maxLength: 8 });
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 12 });
    fc.assert(
      fc.property(letters, text, (pattern, candidate) => {
        const source = pattern.replaceAll('.', '\\.').replaceAll('*', '.*');
        assert.equal(
          compileWildcard(pattern)(candidate),
          new RegExp(`^${source}$`).test(candidate),
        );
      }),
      { numRuns: 3_000 },
    );
  });

  it('fits a list where any of its patterns fits', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 4 });
    const text = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 4 });
    fc.assert(
      fc.property(fc.array(letters, { maxLength: 4 }), text, (patterns, candidate) => {
        const fitting = patterns.filter((pattern) => compileWildcard(pattern)(candidate));
        assert.equal(compileAnyOf(patterns)(candidate), fitting.length > 0);
      }),
      { numRuns: 1_000 },
    );
  });

  it('needs no more than a moment for the worst of patterns', () => {
    const fitsText = compileWildcard(`${'a*'.repeat(200)}b`);
    const start = performance.now();
    assert.equal(fitsText('a'.repeat(100_000)), false);
    assert.ok(performance.now() - start < 500, 'takes over half a second');
  });
});
