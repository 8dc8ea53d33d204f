import assert from 'node:assert/strict';
import { CounterNames } from '../../src/governance/counter-names.js';
import type { RateLimitRule } from '../../src/governance/governance-rule.js';
import type { Check } from '../../src/vocabulary.js';

const ruleBy = (key: RateLimitRule['rate']['key'], id = 'few'): RateLimitRule => ({
  id,
  kind: 'rate-limit',
  match: {},
  digest: '',
  source: { file: 'governance/a.yaml', line: 1 },
  rate: { key, byRole: {}, limits: [{ per: 'hour', count: 1 }] },
});

const check = (tenant: string, user: string, document = 'plan'): Check => ({
  tenant,
  subject: { type: 'user', id: user, properties: {} },
  action: { name: 'read', properties: {} },
  resource: { type: 'document', id: document, properties: {} },
  context: {},
});

function nameIn(names: CounterNames, rule: RateLimitRule, asked: Check): string {
  const [limit] = rule.rate.limits;
  assert.ok(limit);
  return names.nameOf(rule, limit, asked);
}

describe('the names of counters', () => {
  it('say rule, period, tenant and what is counted by', () => {
    const names = new CounterNames();
    const asked = check('acme', 'alice');
    for (let again = 0; again < 2; again += 1) {
      assert.equal(nameIn(names, ruleBy('tenant'), asked), 'few\nhour\nacme\ntenant');
      assert.equal(
        nameIn(names, ruleBy('subject'), asked),
        'few\nhour\nacme\nsubject\nuser\nalice',
      );
      assert.equal(
        nameIn(names, ruleBy('resource'), asked),
        'few\nhour\nacme\nresource\ndocument\nplan',
      );
    }
  });

  it('differ for whatever differs, also where they were asked for before', () => {
    const names = new CounterNames();
    const rules = [
      ruleBy('subject'),
      ruleBy('resource'),
      ruleBy('tenant'),
      ruleBy('subject', 'other'),
    ];
    const asked = ['acme', 'globex'].flatMap((tenant) =>
      ['a', 'b'].flatMap((user) => ['a', 'b'].map((document) => check(tenant, user, document))),
    );
    const all = () => rules.map((rule) => asked.map((each) => nameIn(names, rule, each)));
    const first = all();
    assert.deepEqual(all(), first);
    // By subject 2 × 2, by resource 2 × 2, by tenant 2, and by subject again.
    assert.equal(new Set(first.flat()).size, 4 + 4 + 2 + 4);
  });

  it('are the same once many others were asked for', () => {
    const names = new CounterNames();
    const rule = ruleBy('subject');
    for (let user = 0; user < 70_000; user += 1) {
      assert.equal(
        nameIn(names, rule, check('acme', `u${user}`)),
        `few\nhour\nacme\nsubject\nuser\nu${user}`,
      );
    }
    assert.equal(nameIn(names, rule, check('acme', 'u0')), 'few\nhour\nacme\nsubject\nuser\nu0');
  });

  it('are short, differ, and are not held, where ids are long', () => {
    const names = new CounterNames();
    const rule = ruleBy('subject');
    const ids = ['a', 'b'].map((end) => 'x'.repeat(100_000) + end);
    const all = ids.map((id) => nameIn(names, rule, check('acme', id)));
    assert.equal(new Set(all).size, 2);
    assert.equal(names.size, 0);
    for (const name of all) assert.ok(name.length <= 512, `${name.length} characters`);
    assert.deepEqual(
      ids.map((id) => nameIn(names, rule, check('acme', id))),
      all,
    );
  });
});
