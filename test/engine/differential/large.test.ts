import assert from 'node:assert/strict';
import fc from 'fast-check';
import { createEngine } from '../../../src/engine/create-engine.js';
import type { Model } from '../../../src/engine/model.js';
import { createReferenceEngine } from '../../../src/engine/reference-engine.js';
import type { Check, RuleLine } from '../../../src/vocabulary.js';
import { checkOf, modelOf, modelText, shippedModel } from '../support.js';
import { changed } from './scenario.js';

/** Enough for every table of the index to grow several times. */
const RULES = 6_000;
const TENANTS = ['acme', 'globex', 'initech', 'umbrella'];

/**
 * Rules are in the order of their subjects, of which some have no role; as node-casbin wants it, the
 * fields of a role rule are those of a rule: the subject, the role, the tenant.
 */
const BY_SUBJECT = modelText({
  r: 'sub, obj, dom, act',
  p: 'sub, obj, dom, act, eft',
  g: ['_, _, _'],
  e: 'subjectPriority(p.eft) || deny',
  m: 'g(r.sub, p.sub, r.dom) && r.dom == p.dom && r.obj == p.obj',
});

const SHIPPED = ['rbac-tenant', 'priority', 'restful'] as const;
type ModelName = (typeof SHIPPED)[number] | 'subject-priority';

/** Rules over thousands of names; each once. */
function linesOf(name: ModelName): fc.Arbitrary<RuleLine> {
  const subject = fc.nat({ max: 1_500 }).map((n) => `u${n}`);
  const role = fc.nat({ max: 300 }).map((n) => `r${n}`);
  const tenant = fc.constantFrom(...TENANTS);
  const act = fc.constantFrom('read', 'write', 'delete');
  const eft = fc.constantFrom('allow', 'allow', 'deny');
  const path = fc
    .tuple(fc.nat({ max: 400 }), fc.constantFrom('', '*', '/x', '/*', '/:id'))
    .map(([n, end]) => `path:/d${n}${end}`);
  const p = fc
    .tuple(fc.oneof(subject, role), tenant, path, act, eft, fc.nat({ max: 50 }))
    .map(([sub, dom, obj, action, effect, priority]): RuleLine => {
      if (name === 'subject-priority') return ['p', sub, `path:/d${priority}`, dom, action, effect];
      const start = name === 'priority' ? [String(priority)] : [];
      const end = name === 'restful' ? [] : [effect];
      return ['p', ...start, sub, dom, obj, action, ...end];
    });
  const g = fc
    .tuple(fc.oneof(subject, subject, role), role, tenant)
    .map((values): RuleLine => ['g', ...values]);
  return fc.oneof(p, p, p, g);
}

/** Checks that fit one of these rules: by its own subject, or by one that has its role. */
function checksOf({ policyTokens }: Model, lines: readonly RuleLine[]): fc.Arbitrary<Check> {
  const holders = new Map<string, string>();
  for (const [ptype, sub = '', role, tenant] of lines) {
    if (ptype === 'g') holders.set(`${role} ${tenant}`, sub);
  }
  const policies = lines.filter(([ptype]) => ptype === 'p');
  return fc.constantFrom(...policies).map((line) => {
    const value = (field: string) => line[policyTokens.indexOf(field) + 1] ?? '';
    const obj = value('obj').replace(':id', '7').replace('*', 'x');
    const tenant = value('dom');
    const sub = holders.get(`${value('sub')} ${tenant}`) ?? value('sub');
    return checkOf({ sub, tenant, act: value('act'), obj });
  });
}

describe('the engine against node-casbin, with more rules than its tables begin with', function () {
  this.timeout(60_000);

  for (const [seed, name] of ([...SHIPPED, 'subject-priority'] as const).entries()) {
    it(`answers the same under ${name}, and after thousands of rules came and went`, () => {
      const model = modelOf(name === 'subject-priority' ? BY_SUBJECT : shippedModel(name));
      const draw = <Drawn>(arbitrary: fc.Arbitrary<Drawn>, count: number) =>
        fc.sample(arbitrary, { numRuns: count, seed });
      let lines = changed([], { added: draw(linesOf(name), RULES), removed: [] });
      const engine = createEngine(model, lines);
      const fresh = draw(linesOf(name), RULES * 2).slice(RULES);
      const changes = [
        { added: [], removed: [] },
        { added: [], removed: lines.filter((_, index) => index % 2 === 0) },
        { added: fresh, removed: lines.slice(0, 100) },
        { added: lines.slice(0, 2_000), removed: fresh.filter((_, index) => index % 3 === 0) },
      ];
      let allowed = 0;
      for (const change of changes) {
        assert.equal(engine.apply(change), true);
        lines = changed(lines, change);
        const reference = createReferenceEngine(model, lines);
        assert.equal(engine.size, reference.size);
        for (const check of draw(checksOf(model, lines), 15)) {
          const answer = reference.decide(check);
          assert.deepEqual(engine.decide(check), answer, JSON.stringify(check));
          assert.deepEqual(engine.rolesOf(check), reference.rolesOf(check));
          allowed += answer.effect === 'allow' ? 1 : 0;
        }
      }
      assert.ok(allowed >= 20, `only ${allowed} checks were allowed`);
    });
  }
});
