import assert from 'node:assert/strict';
import fc from 'fast-check';
import { parseModel } from '../../src/engine/model.js';
import { createReferenceEngine } from '../../src/engine/reference-engine.js';
import type { RuleLine } from '../../src/vocabulary.js';
import { checkOf, faultsOf, modelOf, modelText, shippedModel } from './support.js';

const PARTS = {
  r: 'sub, dom, obj, act, context',
  p: 'sub, dom, obj, act, cond, eft',
  g: ['_, _, _', '_, _, _'],
};

const textOf = (m: string, others: object = {}) => modelText({ ...PARTS, m, ...others });

/** What each rule type names its tenant by, under a matcher. */
function fieldsOf(m: string, others: object = {}) {
  const model = modelOf(textOf(m, others));
  const field = model.tenantField('p');
  return {
    p: field === undefined ? undefined : model.policyTokens[field],
    g: model.tenantField('g'),
    g2: model.tenantField('g2'),
  };
}

function warningsOf(text: string) {
  const parsed = parseModel(text);
  return 'model' in parsed ? parsed.warnings : undefined;
}

describe('the field of a rule that names its tenant', () => {
  const IN_DOM: readonly string[] = [
    'r.dom == p.dom && r.sub == p.sub',
    'p.dom === r.dom && r.sub == p.sub',
    'r.sub == p.sub && (r.obj == p.obj && p.dom == r.dom)',
    'r.dom == p.dom && r.sub == p.sub || p.act == "any" && r.dom == p.dom',
    'r.dom == p.dom && (r.sub == p.sub || p.act == "any")',
    '!(r.dom != p.dom || r.sub != p.sub)',
    '!(!(r.dom == p.dom))',
    'r.sub == p.sub ? r.dom == p.dom : p.dom == r.dom && p.act == "any"',
    'r.dom != p.dom ? false : r.sub == p.sub',
    'r.dom == p.dom && eval(p.cond)',
    '(r.dom != p.dom ? false : eval(p.cond))',
    'r.dom == p.dom && r.context.open',
    'r.dom == p.dom && r.dom == p.act',
  ];
  for (const matcher of IN_DOM) {
    it(`is \`p.dom\` for ${matcher}`, () => assert.equal(fieldsOf(matcher).p, 'dom'));
  }

  const NOWHERE: readonly string[] = [
    'r.dom == p.dom && r.sub == p.sub || p.act == "any"',
    'r.dom == p.dom || r.dom == p.act',
    'regexMatch(r.dom, p.dom)',
    'keyMatch(r.dom, p.dom)',
    'keyMatch2(r.dom, p.dom) && r.sub == p.sub',
    '!(r.dom == p.dom)',
    '!(r.dom == p.dom && r.sub == p.sub)',
    'r.dom == p.dom || true',
    'r.dom == "acme" && p.dom == "acme"',
    'r.dom in (p.dom, "acme")',
    'g(r.sub, p.sub, r.dom)',
    '(r.dom == p.dom) == (r.sub == p.sub)',
    'r.sub == p.sub ? r.dom == p.dom : p.act == "any"',
    // Whoever writes a rule writes these: an error in one would end the checks of every tenant.
    'eval(p.cond) && r.dom == p.dom',
    'p.act == "x" && r.context.open == true && r.dom == p.dom',
    'ipMatch(r.sub, p.sub) && r.dom == p.dom',
    // node-casbin takes `NaN` for a match, and ends the check at text.
    '+p.act && r.dom == p.dom',
    'p.act && r.dom == p.dom',
  ];
  for (const matcher of NOWHERE) {
    it(`is nowhere for ${matcher}`, () => assert.equal(fieldsOf(matcher).p, undefined));
  }

  it('is never one that the rule evaluates itself', () => {
    assert.equal(fieldsOf('g(r.sub, p.sub, r.dom) && eval(p.cond)').p, undefined);
  });

  it('is the third of a role relation where every call passes the tenant there', () => {
    const dom = 'r.dom == p.dom';
    const passed = (calls: string) => {
      const { g, g2 } = fieldsOf(`${dom} && ${calls}`);
      return [g, g2];
    };
    assert.deepEqual(passed('g(r.sub, p.sub, r.dom) && g2(r.obj, p.obj, r.dom)'), [2, 2]);
    assert.deepEqual(passed('g(r.sub, p.sub, r.dom) && g2(r.obj, p.obj, p.act)'), [2, undefined]);
    assert.deepEqual(passed('g(r.dom, r.sub, p.sub)'), [undefined, 2]);
    assert.deepEqual(passed('(g(r.sub, p.sub, r.dom) || g(r.sub, p.sub, "all"))'), [undefined, 2]);
    assert.deepEqual(passed('(g(r.sub, p.sub, r.dom) || !g(r.sub, p.sub, p.dom))'), [undefined, 2]);
  });

  it('is nowhere where all rules are put in one order by the roles of their subjects', () => {
    const e = 'subjectPriority(p.eft) || deny';
    const m = 'r.dom == p.dom && g(r.sub, p.sub, r.dom)';
    const p = 'sub, obj, dom, act, cond, eft';
    assert.deepEqual(fieldsOf(m, { e, p }), { p: undefined, g: undefined, g2: undefined });

    // What a rule of another tenant does there, for node-casbin too.
    const model = modelOf(textOf(m, { e, p }));
    const denied: RuleLine = ['p', 'editor', 'document:1', 'acme', 'read', 'true', 'deny'];
    const allowed: RuleLine = ['p', 'alice', 'document:1', 'acme', 'read', 'true', 'allow'];
    const role: RuleLine = ['g', 'alice', 'editor', 'acme'];
    const other: RuleLine = ['p', 'zoe', 'document:1', 'globex', 'read', 'true', 'allow'];
    const effectOf = (...lines: RuleLine[]) => {
      const check = checkOf({ tenant: 'acme', sub: 'alice' });
      return createReferenceEngine(model, lines).decide(check).effect;
    };
    assert.equal(effectOf(role, denied, allowed), 'allow');
    assert.equal(effectOf(role, denied, other, allowed), 'deny');
  });

  it('is where the shipped models have it', () => {
    for (const [name, index] of [
      ['rbac-tenant', 1],
      ['restful', 1],
      ['priority', 2],
      ['abac', 0],
    ] as const) {
      assert.equal(modelOf(shippedModel(name)).tenantField('p'), index, name);
    }
  });
});

describe('a matcher that may pass over the tenant', () => {
  it('is warned of at its place, where some rules decide whatever the tenant', () => {
    const warned = textOf('r.dom == p.dom && r.sub == p.sub || p.sub == "root"');
    assert.deepEqual(warningsOf(warned), [
      {
        line: 15,
        column: 5,
        message:
          'the matcher can match without comparing `r.dom` or passing it to `g`: a rule of one tenant may decide in another',
      },
    ]);
    for (const m of ['!(r.dom == p.dom)', 'r.sub == p.sub ? r.dom == p.dom : r.act == p.act']) {
      assert.equal(warningsOf(textOf(m))?.length, 1, m);
    }
  });

  it('is warned of where the rules of all tenants are put in one order', () => {
    const m = 'r.dom == p.dom && g(r.sub, p.sub, r.dom)';
    const warnings = warningsOf(textOf(m, { e: 'subjectPriority(p.eft) || deny' }));
    assert.equal(warnings?.length, 1);
    assert.match(warnings?.[0]?.message ?? '', /the rules of all tenants in one order/);
  });

  it('is not warned of where every branch compares it or passes it on', () => {
    for (const m of [
      'r.dom == p.dom && r.sub == p.sub || g(r.sub, "root", r.dom)',
      'keyMatch(r.dom, p.dom) && r.sub == p.sub',
      'r.dom == "acme" || r.dom == "globex"',
      '!(r.dom != p.dom)',
    ]) {
      assert.deepEqual(warningsOf(textOf(m)), [], m);
    }
    for (const name of ['rbac-tenant', 'restful', 'priority', 'abac', 'acl', 'system']) {
      assert.deepEqual(warningsOf(shippedModel(name)), [], name);
    }
  });

  it('is a fault where the tenant is compared with nothing but itself', () => {
    assert.match(
      faultsOf(textOf('r.dom == r.dom && r.sub == p.sub'))[0] ?? '',
      /must compare `r\.dom` or pass it to `g`/,
    );
  });
});

describe('a rule of another tenant', () => {
  const leaf = fc.constantFrom(
    'r.dom == p.dom',
    'p.dom === r.dom',
    'r.dom != p.dom',
    'r.dom == p.act',
    'r.dom == "acme"',
    'r.dom == r.dom',
    'regexMatch(r.dom, p.dom)',
    'keyMatch(r.dom, p.dom)',
    'r.sub == p.sub',
    'p.act == "any"',
    'p.act',
    '+p.act',
    'r.context.flag',
    'r.context.missing == p.act',
    'ipMatch(r.sub, p.sub)',
    'eval(p.cond)',
    'g(r.sub, p.sub, r.dom)',
    'g(r.sub, p.sub, p.dom)',
    'g(r.dom, r.sub, p.sub)',
    'g2(r.obj, p.obj, r.dom)',
    'r.sub in (p.sub, p.act)',
    'true',
    'false',
  );
  const { expression } = fc.letrec<{ expression: string }>((tie) => ({
    expression: fc.oneof(
      { maxDepth: 3, depthIdentifier: 'matcher' },
      { weight: 4, arbitrary: leaf },
      {
        weight: 3,
        arbitrary: fc.tuple(tie('expression'), tie('expression')).map(([a, b]) => `(${a} && ${b})`),
      },
      {
        weight: 2,
        arbitrary: fc.tuple(tie('expression'), tie('expression')).map(([a, b]) => `(${a} || ${b})`),
      },
      { weight: 1, arbitrary: tie('expression').map((a) => `!(${a})`) },
      {
        weight: 1,
        arbitrary: fc
          .tuple(tie('expression'), tie('expression'), tie('expression'))
          .map(([a, b, c]) => `(${a} ? ${b} : ${c})`),
      },
    ),
  }));
  // Half of them start as most do, so that many matchers have a tenant field at all.
  const matcher = fc.oneof(
    expression,
    expression.map((rest) => `r.dom == p.dom && ${rest}`),
    expression.map((rest) => `r.sub == p.sub && (${rest}) && r.dom == p.dom`),
  );
  const effect = fc.constantFrom(
    'some(where (p.eft == allow))',
    '!some(where (p.eft == deny))',
    'some(where (p.eft == allow)) && !some(where (p.eft == deny))',
    'priority(p.eft) || deny',
  );
  const policyTokens = fc.constantFrom(PARTS.p, `${PARTS.p}, priority`);
  const name = fc.constantFrom('alice', 'admin', 'acme', 'globex', 'any', 'document:1', '', '.*');
  const eft = fc.constantFrom('allow', 'deny');
  const cond = fc.constantFrom('true', 'r.sub == "alice"', 'r.context.missing == 1', 'r.sub', '1');
  const policyRule = fc
    .tuple(name, name, name, name, cond, eft, fc.constantFrom('1', '2', '-3'))
    .map((values): RuleLine => ['p', ...values]);
  const roleRule = fc
    .tuple(fc.constantFrom('g', 'g2'), name, name, name)
    .map(([type, ...values]): RuleLine => [type, ...values]);
  const rules = fc.array(fc.oneof(policyRule, roleRule), { maxLength: 8 });

  /** Whether a rule names a tenant, and not this one: what a credential of that tenant may write. */
  const isForeign = (model: ReturnType<typeof modelOf>, tenant: string) => (rule: RuleLine) => {
    const field = model.tenantField(rule[0]);
    return field !== undefined && rule[field + 1] !== tenant;
  };

  it('has no part in any check, for whatever matcher has a tenant field', () => {
    let tried = 0;
    fc.assert(
      fc.property(matcher, effect, policyTokens, rules, name, (m, e, p, drawn, sub) => {
        const width = p.split(',').length;
        const lines = drawn.map(([type, ...values]): RuleLine => [type, ...values.slice(0, width)]);
        const parsed = parseModel(textOf(m, { e, p }));
        fc.pre('model' in parsed);
        const { model } = parsed;
        fc.pre(['p', 'g', 'g2'].some((type) => model.tenantField(type) !== undefined));
        const good = lines.filter((line) => model.faultOf(line) === undefined);
        for (const tenant of ['acme', 'globex']) {
          const foreign = isForeign(model, tenant);
          const own = good.filter((line) => !foreign(line));
          const check = checkOf({ tenant, sub: sub || 'alice', context: { flag: true } });
          const answer = createReferenceEngine(model, good).decide(check);
          if (answer.effect === 'allow' && 'rule' in answer && answer.rule !== undefined) {
            assert.ok(!foreign(answer.rule), `${answer.rule.join()} allowed in ${tenant}`);
          }
          assert.deepEqual(answer, createReferenceEngine(model, own).decide(check), tenant);
          tried += own.length < good.length ? 1 : 0;
        }
      }),
      { numRuns: 2_000 },
    );
    assert.ok(tried > 500, `only ${tried} checks had rules of another tenant beside them`);
  });
});
