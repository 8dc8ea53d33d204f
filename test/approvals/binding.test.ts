import assert from 'node:assert/strict';
import fc from 'fast-check';
import { bindQuestion } from '../../src/approvals/binding.js';
import type { ConditionReferences } from '../../src/governance/governance-rule.js';
import { canonicalJson } from '../../src/platform/json.js';
import type { Check, JsonObject } from '../../src/vocabulary.js';
import { checkOf, questionOf, ruleOf } from './fixtures.js';

function contentOf(
  check: Check,
  references: Partial<ConditionReferences> = {},
  bind: string[] = [],
) {
  return bindQuestion(questionOf(check, [ruleOf('r', {}, references)], bind)).content;
}

describe('the binding of a check', () => {
  const plain = checkOf();

  const differing: Record<string, Partial<Check>> = {
    'the tenant': { tenant: 'globex' },
    'the type of the subject': { subject: { ...plain.subject, type: 'service' } },
    'the id of the subject': { subject: { ...plain.subject, id: 'bob' } },
    'a property of the subject': { subject: { ...plain.subject, properties: { level: 1 } } },
    'the name of the action': { action: { ...plain.action, name: 'restart' } },
    'a property of the action': { action: { ...plain.action, properties: { force: true } } },
    'the type of the resource': { resource: { ...plain.resource, type: 'job' } },
    'the id of the resource': { resource: { ...plain.resource, id: 'ledger' } },
    'a property of the resource': { resource: { ...plain.resource, properties: {} } },
  };
  for (const [what, change] of Object.entries(differing)) {
    it(`differs with ${what}`, () => {
      assert.notEqual(contentOf(checkOf(change)), contentOf(plain));
    });
  }

  it('does not join what lies on both sides of a colon', () => {
    const left = checkOf({ resource: { type: 'a', id: 'b:c', properties: {} } });
    const right = checkOf({ resource: { type: 'a:b', id: 'c', properties: {} } });
    assert.notEqual(contentOf(left), contentOf(right));
  });

  it('is blind to members of the context that nothing names', () => {
    assert.equal(contentOf(checkOf({ context: { ticket: 1 } })), contentOf(plain));
  });

  it('holds the members of the context that a condition names', () => {
    const amount = { context: ['amount'] };
    const of = (context: JsonObject) => contentOf(checkOf({ context }), amount);
    assert.notEqual(of({ amount: 5 }), of({ amount: 6 }));
    assert.equal(of({ amount: 5, other: 1 }), of({ amount: 5, other: 2 }));
  });

  it('tells a member that is null from one that is absent', () => {
    const amount = { context: ['amount'] };
    const of = (context: JsonObject) => contentOf(checkOf({ context }), amount, ['ticket']);
    assert.notEqual(of({ amount: null }), of({}));
    assert.notEqual(of({ ticket: null }), of({}));
  });

  it('holds all of a context that is used whole, but for the comment', () => {
    const of = (context: JsonObject) => contentOf(checkOf({ context }), { context: '*' });
    assert.notEqual(of({ other: 1 }), of({ other: 2 }));
    assert.equal(of({ comment: 'one' }), of({ comment: 'two' }));
  });

  it('never holds the comment, even where a condition or the bundle names it', () => {
    const of = (comment: string) =>
      contentOf(checkOf({ context: { comment } }), { context: ['comment'] }, ['comment']);
    assert.equal(of('one'), of('two'));
  });

  it('holds the context paths that the bundle binds, and no more', () => {
    const of = (context: JsonObject) => contentOf(checkOf({ context }), {}, ['change.id']);
    assert.notEqual(of({ change: { id: 1 } }), of({ change: { id: 2 } }));
    assert.equal(of({ change: { id: 1, by: 'x' } }), of({ change: { id: 1, by: 'y' } }));
  });

  it('holds all of what a bound path meets that is no object, and members with dots in their names', () => {
    const of = (context: JsonObject) => contentOf(checkOf({ context }), {}, ['change.id']);
    assert.notEqual(of({ change: [{ id: 1 }] }), of({ change: [{ id: 2 }] }));
    assert.notEqual(of({ change: 1 }), of({ change: 2 }));
    assert.notEqual(of({ 'change.id': 1 }), of({ 'change.id': 2 }));
    assert.notEqual(of({ 'change.id': 1 }), of({ change: { id: 1 } }));
  });

  it('holds of the stored properties those alone that a condition names', () => {
    const stored = (properties: JsonObject) =>
      bindQuestion({
        ...questionOf(plain, [ruleOf('r', {}, { resource: ['tier'] })]),
        check: { ...plain, resource: { ...plain.resource, properties } },
      }).content;
    assert.notEqual(stored({ tier: 1 }), stored({ tier: 2 }));
    assert.equal(stored({ tier: 1, colour: 'red' }), stored({ tier: 1, colour: 'blue' }));
  });

  it('does not take a member that objects inherit for one of the context', () => {
    const of = (context: JsonObject) =>
      contentOf(checkOf({ context }), { context: ['constructor'] }, ['toString']);
    assert.equal(of({}), of({ other: 1 }));
  });

  it('is the same for equal checks however their members are ordered, and differs for all others', () => {
    const json = fc.dictionary(
      fc.constantFrom('a', 'b', 'comment', '__proto__x', 'é'),
      fc.jsonValue(),
      {
        maxKeys: 3,
      },
    ) as fc.Arbitrary<JsonObject>;
    const part = fc.record({
      type: fc.constantFrom('user', 'job'),
      id: fc.constantFrom('x', 'y'),
      properties: json,
    });
    const check: fc.Arbitrary<Check> = fc.record({
      tenant: fc.constantFrom('acme', 'globex'),
      subject: part,
      action: fc.record({ name: fc.constantFrom('x', 'y'), properties: json }),
      resource: part,
      context: json,
    });
    const bound = (each: Check) => {
      const { comment: _, ...context } = each.context;
      return canonicalJson({ ...each, context } as unknown as JsonObject);
    };
    const whole = { context: '*', subject: '*', action: '*', resource: '*' } as const;
    fc.assert(
      fc.property(check, check, (left, right) => {
        assert.equal(
          contentOf(left, whole) === contentOf(right, whole),
          bound(left) === bound(right),
        );
        const reordered = JSON.parse(canonicalJson(left as unknown as JsonObject)) as Check;
        assert.equal(contentOf(reordered, whole), contentOf(left, whole));
      }),
      { numRuns: 300 },
    );
  });
});

describe('the terms of a binding', () => {
  const termsOf = (...args: Parameters<typeof questionOf>) =>
    bindQuestion(questionOf(...args)).terms;
  const [a, b] = [ruleOf('a'), ruleOf('b')];

  it('are those of a set of rules, in whatever order the bundle has them', () => {
    assert.equal(termsOf(checkOf(), [a, b]), termsOf(checkOf(), [b, a]));
    assert.notEqual(termsOf(checkOf(), [a, b]), termsOf(checkOf(), [a]));
  });

  it('differ when a rule reads otherwise', () => {
    const stricter = ruleOf('a', { expiresAfter: 1_000 });
    assert.notEqual(termsOf(checkOf(), [a]), termsOf(checkOf(), [stricter]));
  });

  it('differ when the bundle binds other paths, in any order', () => {
    assert.notEqual(termsOf(checkOf(), [a], ['x']), termsOf(checkOf(), [a]));
    assert.equal(termsOf(checkOf(), [a], ['x', 'y']), termsOf(checkOf(), [a], ['y', 'x', 'x']));
  });

  it('are blind to the check', () => {
    assert.equal(termsOf(checkOf(), [a]), termsOf(checkOf({ tenant: 'globex' }), [a]));
  });
});
