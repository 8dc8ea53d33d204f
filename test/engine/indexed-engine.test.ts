import assert from 'node:assert/strict';
import { createEngine } from '../../src/engine/create-engine.js';
import type { Engine } from '../../src/engine/engine.js';
import type { ModelOptions } from '../../src/engine/model.js';
import type { RuleLine } from '../../src/vocabulary.js';
import { checkOf, modelOf, modelText, shippedModel } from './support.js';

/** An engine that must be the indexed one. */
function indexed(text: string, rules: readonly RuleLine[], options?: ModelOptions): Engine {
  const engine = createEngine(modelOf(text, options), rules);
  assert.equal(engine.name, 'indexed');
  return engine;
}

function handlings({ parts }: Engine): readonly (readonly [text: string, handling: string])[] {
  return parts.map(({ text, handling }) => [text, handling]);
}

/** A plain list of who may read: the first rule that fits is named. */
const LIST = modelText({ p: 'sub, note', g: [], m: 'r.sub == p.sub' });
const who = (engine: Engine, sub = 'alice'): RuleLine | undefined => {
  const answer = engine.decide(checkOf({ sub }));
  return 'rule' in answer ? answer.rule : undefined;
};
const first: RuleLine = ['p', 'alice', 'first'];
const second: RuleLine = ['p', 'alice', 'second'];

describe('changing the rules of the indexed engine in place', () => {
  const apply = (engine: Engine, added: readonly RuleLine[], removed: readonly RuleLine[]) =>
    assert.equal(engine.apply({ added, removed }), true, 'the change was not taken');

  it('ranks what comes after all that is held', () => {
    const engine = indexed(LIST, [first]);
    apply(engine, [second], []);
    assert.deepEqual([who(engine), engine.size], [first, 2]);
    apply(engine, [], [first]);
    assert.deepEqual([who(engine), engine.size], [second, 1]);
  });

  it('keeps the rank of a rule that is added though it is held', () => {
    const engine = indexed(LIST, [first, second]);
    apply(engine, [first, first], []);
    assert.deepEqual([who(engine), engine.size], [first, 2]);
  });

  it('ranks a rule last that goes and comes in one change', () => {
    const engine = indexed(LIST, [first, second]);
    apply(engine, [first], [first]);
    assert.deepEqual([who(engine), engine.size], [second, 2]);
  });

  it('finds nothing by a rule that has gone, however often it came', () => {
    const engine = indexed(LIST, []);
    for (let times = 0; times < 3; times += 1) {
      apply(engine, [first], []);
      assert.deepEqual(who(engine), first);
      apply(engine, [], [first]);
      assert.equal(who(engine), undefined);
    }
    assert.equal(engine.size, 0);
  });

  it('passes over the removal of what it does not hold', () => {
    const engine = indexed(LIST, [first]);
    apply(engine, [], [second, ['p', 'nobody', 'first']]);
    assert.deepEqual([who(engine), engine.size], [first, 1]);
  });

  it('refuses rules that are too short, too long or of an unknown type, and changes nothing', () => {
    const engine = indexed(LIST, [first]);
    for (const odd of [
      ['p', 'alice'],
      ['p', 'bob', 'x', 'y'],
      ['g', 'a', 'b'],
      ['p2', 'a', 'b'],
    ]) {
      const line = odd as unknown as RuleLine;
      assert.equal(engine.apply({ added: [second, line], removed: [first] }), false);
      assert.equal(engine.apply({ added: [second], removed: [first, line] }), false);
      assert.deepEqual([who(engine), engine.size], [first, 1]);
    }
  });

  it('puts a rule where its priority puts it', () => {
    const text = shippedModel('priority');
    const rule = (priority: string, eft: string): RuleLine => [
      'p',
      priority,
      'alice',
      'acme',
      'document:1',
      'read',
      eft,
    ];
    const engine = indexed(text, [rule('10', 'allow'), rule('30', 'allow')]);
    apply(engine, [rule('20', 'deny'), rule('9', 'deny')], []);
    assert.deepEqual(who(engine), rule('9', 'deny'));
    apply(engine, [], [rule('9', 'deny')]);
    assert.deepEqual(who(engine), rule('10', 'allow'));
    apply(engine, [rule('010', 'deny')], [rule('10', 'allow')]);
    assert.deepEqual(who(engine), rule('010', 'deny'));
  });

  it('orders rules by their subjects anew where roles change', () => {
    const text = modelText({
      p: 'sub, obj, act, eft',
      e: 'subjectPriority(p.eft) || deny',
    });
    const everyone: RuleLine = ['p', 'everyone', 'document:1', 'read', 'deny'];
    const editors: RuleLine = ['p', 'editor', 'document:1', 'read', 'allow'];
    const engine = indexed(text, [
      everyone,
      editors,
      ['g', 'alice', 'everyone'],
      ['g', 'alice', 'editor'],
    ]);
    assert.deepEqual(who(engine), everyone);
    apply(engine, [['g', 'editor', 'everyone']], []);
    assert.deepEqual(who(engine), editors);
    apply(engine, [], [['g', 'editor', 'everyone']]);
    assert.deepEqual(who(engine), everyone);
  });

  it('gives and takes roles at once, in the tenant that they are in', () => {
    const engine = indexed(shippedModel('rbac-tenant'), [
      ['p', 'editor', 'acme', 'document:*', 'read', 'allow'],
      ['p', 'editor', 'globex', 'document:*', 'read', 'allow'],
    ]);
    const asks = () =>
      ['acme', 'globex'].map((tenant) => {
        const check = checkOf({ tenant });
        return [
          engine.decide(check).effect,
          engine.rolesOf(check),
          engine.isRole('editor', tenant),
        ];
      });
    const none = ['deny', [], false];
    assert.deepEqual(asks(), [none, none]);
    apply(engine, [['g', 'alice', 'editor', 'globex']], []);
    assert.deepEqual(asks(), [none, ['allow', ['editor'], true]]);
    apply(engine, [], [['g', 'alice', 'editor', 'globex']]);
    assert.deepEqual(asks(), [none, none]);
  });

  it('knows the roles of a check that it decided before the change', () => {
    const engine = indexed(shippedModel('rbac-tenant'), [['g', 'bob', 'editor', 'acme']]);
    const check = checkOf();
    engine.decide(check);
    assert.deepEqual([engine.subjectIsRole(check), engine.rolesOf(check)], [false, []]);
    apply(
      engine,
      [
        ['g', 'carol', 'alice', 'acme'],
        ['g', 'alice', 'editor', 'acme'],
      ],
      [],
    );
    assert.deepEqual([engine.subjectIsRole(check), engine.rolesOf(check)], [true, ['editor']]);
  });

  it('takes many rules at once', () => {
    const rules = Array.from({ length: 300 }, (_, i): RuleLine => ['p', `u${i}`, 'note']);
    const engine = indexed(LIST, []);
    apply(engine, rules, []);
    apply(engine, [], rules.slice(0, 299));
    assert.deepEqual(
      [who(engine, 'u298'), who(engine, 'u299'), engine.size],
      [undefined, rules[299], 1],
    );
  });
});

describe('how the indexed engine says that it finds its rules', () => {
  it('by every part of the default model', () => {
    assert.deepEqual(
      handlings(indexed(shippedModel('rbac-tenant'), [])).map(([, handling]) => handling),
      ['indexed', 'indexed', 'indexed', 'indexed'],
    );
  });

  it('by evaluating what stands behind a part that may fail', () => {
    const engine = indexed(
      modelText({ r: 'sub, context', p: 'sub, act', m: 'p.act < r.context.n && r.sub == p.sub' }),
      [],
    );
    assert.deepEqual(handlings(engine), [
      ['p.act < r.context.n', 'residual'],
      ['r.sub == p.sub', 'residual'],
    ]);
  });

  it('by leaving all to node-casbin where the order of the rules is not to be foretold', () => {
    const engine = createEngine(modelOf(shippedModel('priority')), [
      ['p', 'first', 'alice', 'acme', 'document:1', 'read', 'allow'],
    ]);
    assert.equal(engine.name, 'reference');
    assert.deepEqual(
      engine.parts.map(({ handling }) => handling),
      ['fallback'],
    );
  });
});

/** Cases in which it once differed from node-casbin; each was found by `npm run fuzz`. */
describe('the indexed engine, where it once took another way than node-casbin', () => {
  it('reports an absent member behind the first half of an alternative', () => {
    const options = { request: { env: 'resource.properties.env' } };
    for (const m of [
      '(r.act == p.act && r.env || p.sub == r.sub) && p.sub == r.sub || r.dom === p.dom',
      '(r.act == p.act && r.env || p.sub == r.sub) && r.dom == p.dom',
      '(g(r.sub, p.act) && r.env || p.sub == r.sub) && r.dom == p.dom',
      '(keyMatch(r.act, p.act) && r.env || p.sub == r.sub) && !(r.dom != p.dom)',
    ]) {
      const engine = indexed(
        modelText({ r: 'sub, dom, act, env', p: 'sub, dom, act', m }),
        [
          ['p', 'bob', 'globex', 'read'],
          ['g', 'alice', 'read'],
        ],
        options,
      );
      const answer = engine.decide(checkOf());
      assert.deepEqual(answer, { effect: 'error', message: '`r.env` is absent' }, m);
    }
  });

  it('finds a rule by a name that fits role patterns, and was unknown when it was first asked for', () => {
    const engine = indexed(modelText({ p: 'sub', m: 'g(r.sub, p.sub)' }), [], {
      rolePatterns: { g: 'globMatch' },
    });
    const check = checkOf({ sub: 'editor' });
    assert.equal(engine.decide(check).effect, 'deny');
    engine.apply({ added: [['p', 'editor']], removed: [] });
    assert.deepEqual(engine.decide(check), { effect: 'allow', rule: ['p', 'editor'] });
  });
});
