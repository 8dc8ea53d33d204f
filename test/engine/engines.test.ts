import assert from 'node:assert/strict';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import type { RuleLine } from '../../src/vocabulary.js';
import type { Engine } from '../../src/engine/engine.js';
import type { ModelOptions } from '../../src/engine/model.js';
import {
  checkOf,
  modelOf,
  modelText,
  shippedModel,
  stockEnforcer,
  type CheckParts,
} from './support.js';
import { type EngineKind, ENGINES, engineWith } from '../support/engines.js';

const RULES: readonly RuleLine[] = [
  ['p', 'editor', 'acme', 'document:*', 'read', 'allow'],
  ['p', 'alice', 'acme', 'service:billing', 'deploy', 'deny'],
  ['p', 'ops', 'acme', 'service:*', '*', 'allow'],
  ['p', 'bob', 'acme', 'board', 'read', 'allow'],
  ['p', 'agent:ci', 'acme', 'service:web', 'deploy', 'allow'],
  ['g', 'alice', 'editor', 'acme'],
  ['g', 'alice', 'ops', 'acme'],
  ['g', 'ops', 'staff', 'acme'],
  ['g2', 'document:plan', 'board', 'acme'],
];

/** What holds of an engine, whichever it is. */
function describeEngine(kind: EngineKind): void {
  const engineOf = (text: string, rules: readonly RuleLine[], options?: ModelOptions): Engine =>
    engineWith(kind, modelOf(text, options), rules);
  const tenantEngine = engineOf(shippedModel('rbac-tenant'), RULES);
  const decide = (parts: CheckParts) => tenantEngine.decide(checkOf(parts));

  describe(`the ${kind.name} engine`, () => {
    it('names the rule that allows or denies, its type first', () => {
      assert.deepEqual(decide({ obj: 'document:1' }), { effect: 'allow', rule: RULES[0] });
      assert.deepEqual(decide({ obj: 'service:billing', act: 'deploy' }), {
        effect: 'deny',
        explicit: true,
        rule: RULES[1],
      });
      assert.deepEqual(decide({ obj: 'service:web', act: 'restart' }), {
        effect: 'allow',
        rule: RULES[2],
      });
    });

    it('tells a deny from no rule at all', () => {
      assert.deepEqual(decide({ obj: 'invoice:1' }), { effect: 'deny', explicit: false });
      assert.deepEqual(decide({ tenant: 'globex' }), { effect: 'deny', explicit: false });
    });

    it('decides for subjects without roles, subjects of other types, and groups of resources', () => {
      assert.equal(decide({ sub: 'bob', obj: 'document:plan' }).effect, 'allow');
      assert.equal(decide({ sub: 'bob', obj: 'document:other' }).effect, 'deny');
      assert.equal(
        decide({ sub: 'ci', type: 'agent', obj: 'service:web', act: 'deploy' }).effect,
        'allow',
      );
      assert.equal(decide({ sub: 'ci', obj: 'service:web', act: 'deploy' }).effect, 'deny');
    });

    it('takes `*` in a request as a plain sign', () => {
      assert.equal(
        decide({ sub: 'ci', type: 'agent', obj: 'service:*', act: 'deploy' }).effect,
        'deny',
      );
      assert.equal(decide({ obj: 'document:1', act: '*' }).effect, 'deny');
    });

    it('knows the roles of the subject in its tenant', () => {
      const { subject } = checkOf();
      assert.deepEqual(tenantEngine.rolesOf({ tenant: 'acme', subject }), [
        'editor',
        'ops',
        'staff',
      ]);
      assert.deepEqual(tenantEngine.rolesOf({ tenant: 'globex', subject }), []);
      assert.deepEqual(
        ['editor', 'staff', 'alice', 'board'].map((name) => tenantEngine.isRole(name, 'acme')),
        [true, true, false, false],
      );
      assert.deepEqual(engineOf(shippedModel('acl'), []).rolesOf({ tenant: 'acme', subject }), []);
      assert.equal(tenantEngine.size, RULES.length);
    });

    it('knows the roles of the value that fills `sub`', () => {
      const engine = engineOf(modelText(), [['g', 'blue', 'painters']], {
        request: { sub: 'subject.properties.team' },
      });
      const { subject } = checkOf({ subject: { team: 'blue' } });
      assert.deepEqual(engine.rolesOf({ tenant: 'acme', subject }), ['painters']);
    });

    it('keeps the order of the rules in every effect', () => {
      const text = modelText({
        p: 'sub, obj, act, eft',
        e: 'priority(p.eft) || deny',
        m: 'r.obj == p.obj',
      });
      const allow: RuleLine = ['p', 'x', 'document:1', 'read', 'allow'];
      const deny: RuleLine = ['p', 'y', 'document:1', 'read', 'deny'];
      assert.deepEqual(engineOf(text, [allow, deny]).decide(checkOf()), {
        effect: 'allow',
        rule: allow,
      });
      assert.deepEqual(engineOf(text, [deny, allow]).decide(checkOf()), {
        effect: 'deny',
        explicit: true,
        rule: deny,
      });
    });

    it('sorts by priority as a number, equal ones by rank', () => {
      const text = shippedModel('priority');
      const rule = (priority: string, sub: string, eft: string): RuleLine => [
        'p',
        priority,
        sub,
        'acme',
        'document:1',
        'read',
        eft,
      ];
      const first = rule('9', 'alice', 'deny');
      assert.deepEqual(
        engineOf(text, [rule('10', 'alice', 'allow'), first, rule('9', 'alice', 'allow')]).decide(
          checkOf(),
        ),
        { effect: 'deny', explicit: true, rule: first },
      );
    });

    it('holds more rules than a call can have arguments', () => {
      const rules = Array.from(
        { length: 200_000 },
        (_, i): RuleLine => ['p', `u${i}`, 'document:1', 'read'],
      );
      const engine = engineOf(shippedModel('acl'), rules);
      assert.deepEqual(engine.decide(checkOf({ sub: 'u5' })), { effect: 'allow', rule: rules[5] });
      assert.equal(engine.size, 200_000);
    });

    it('names the first rule for a matcher that reads none, as node-casbin does, yet denies without it', () => {
      const text = modelText({
        r: 'subject, resource',
        m: 'r.subject.id == r.resource.properties.owner',
      });
      const rule: RuleLine = ['p', 'a', 'b', 'c'];
      const engine = engineOf(text, [rule]);
      assert.deepEqual(engine.decide(checkOf({ resource: { owner: 'alice' } })), {
        effect: 'allow',
        rule,
      });
      assert.deepEqual(engine.decide(checkOf({ resource: { owner: 'bob' } })), {
        effect: 'deny',
        explicit: false,
        rule,
      });
    });
  });

  describe(`requests guarded by the ${kind.name} engine`, () => {
    const whole = { r: 'subject, action, resource, context', p: 'sub' };
    const decideBy = (m: string, parts: CheckParts, options = {}) =>
      engineOf(modelText({ ...whole, m }), [['p', 'alice']], options).decide(checkOf(parts));

    it('an absent member is an error at any depth, and never equals another', () => {
      for (const [m, path] of [
        ['r.subject.properties.team == r.resource.properties.team', 'r.subject.properties.team'],
        ['r.context.a.b.c == r.context.a.b.d', 'r.context.a.b'],
        ['r.subject.properties.a != "x"', 'r.subject.properties.a'],
        ['!r.context.blocked', 'r.context.blocked'],
        ['r.context.flag ? true : true', 'r.context.flag'],
      ] as const) {
        assert.deepEqual(decideBy(`${m} && p.sub == "alice"`, { context: { a: {} } }), {
          effect: 'error',
          message: `\`${path}\` is absent`,
        });
      }
    });

    it('an absent member that is not read does no harm', () => {
      assert.equal(decideBy('p.sub == "alice" || r.context.absent == 1', {}).effect, 'allow');
      assert.equal(decideBy('p.sub == "bob" && r.context.absent == 1', {}).effect, 'deny');
    });

    it('a token filled from an absent path is an error once it is read', () => {
      const text = modelText({
        r: 'sub, env',
        p: 'sub, env',
        m: 'r.sub == p.sub && r.env == p.env',
      });
      const engine = engineOf(text, [['p', 'alice', 'prod']], {
        request: { env: 'resource.properties.environment' },
      });
      assert.equal(engine.decide(checkOf({ resource: { environment: 'prod' } })).effect, 'allow');
      assert.deepEqual(engine.decide(checkOf()), { effect: 'error', message: '`r.env` is absent' });
      assert.equal(engine.decide(checkOf({ sub: 'bob' })).effect, 'deny');
    });

    it('null and false are there, and equal what JavaScript says', () => {
      assert.equal(
        decideBy('r.context.a == null && p.sub == "alice"', { context: { a: null } }).effect,
        'allow',
      );
      assert.equal(
        decideBy('r.context.a == "1" && p.sub == "alice"', { context: { a: 1 } }).effect,
        'allow',
      );
      assert.equal(
        decideBy('r.context.a === "1" && p.sub == "alice"', { context: { a: 1 } }).effect,
        'deny',
      );
    });

    it('only own members exist', () => {
      for (const name of ['toString', 'hasOwnProperty', 'valueOf', 'isPrototypeOf']) {
        assert.equal(decideBy(`r.context.${name} == p.sub`, {}).effect, 'error', name);
        assert.equal(
          decideBy(`("${name}" in r.context) && p.sub == "alice"`, {}).effect,
          'deny',
          name,
        );
      }
      assert.equal(
        decideBy('r.context.list.length == 2 && p.sub == "alice"', { context: { list: [1, 2] } })
          .effect,
        'allow',
      );
      assert.equal(
        decideBy('r.context.text.length == 2 && p.sub == "alice"', { context: { text: 'ab' } })
          .effect,
        'error',
      );
    });

    it('`in` looks into lists and objects, and nothing else', () => {
      const context = { tags: ['a', 'b'], map: { a: 1 }, text: 'abc' };
      assert.equal(
        decideBy("('a' in r.context.tags) && p.sub == 'alice'", { context }).effect,
        'allow',
      );
      assert.equal(
        decideBy("('c' in r.context.tags) && p.sub == 'alice'", { context }).effect,
        'deny',
      );
      assert.equal(
        decideBy("('a' in r.context.map) && p.sub == 'alice'", { context }).effect,
        'allow',
      );
      assert.equal(
        decideBy("('a' in r.context.text) && p.sub == 'alice'", { context }).effect,
        'error',
      );
      assert.equal(
        decideBy("(r.action.name in ('read', 'write')) && p.sub == 'alice'", {}).effect,
        'allow',
      );
      assert.equal(decideBy("(r.action.name in ['write']) && p.sub == 'alice'", {}).effect, 'deny');
    });

    it('a check is not changed by being decided, and hostile members of it do nothing', () => {
      const context = JSON.parse(
        '{"__proto__": {"admin": true}, "constructor": {"name": "x"}, "toString": "x", "list": [{}]}',
      );
      const check = checkOf({ context, subject: { team: 'a' } });
      const before = JSON.stringify(check);
      const engine = engineOf(
        modelText({
          ...whole,
          m: 'r.context.list == p.sub || r.context == p.sub || r.context.admin == true',
        }),
        [['p', 'alice']],
      );
      assert.equal(engine.decide(check).effect, 'error');
      assert.equal(JSON.stringify(check), before);
      assert.equal(({} as { admin?: boolean }).admin, undefined);
    });

    it('never throws, whatever JSON a check holds', () => {
      const engine = engineOf(
        modelText({
          r: 'subject, context',
          p: 'sub',
          m: 'r.context.a + 1 > r.context.b.c || (r.context.a in r.context.b) || keyMatch(r.context.a, p.sub) || g(r.context.b, p.sub) || ipMatch(r.context.a, "10.0.0.0/8")',
        }),
        [['p', 'alice']],
      );
      fc.assert(
        fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
          assert.ok(
            ['allow', 'deny', 'error'].includes(
              engine.decide(checkOf({ context: { a, b } as never })).effect,
            ),
            'no answer',
          );
        }),
      );
    });
  });

  describe(`rules with expressions in the ${kind.name} engine`, () => {
    const text = shippedModel('abac');
    const rule = (condition: string): RuleLine => [
      'p',
      'acme',
      condition,
      'document',
      'read',
      'allow',
    ];

    it('decide by their conditions, and are named as they were written', () => {
      const owner = rule(
        "r.resource.properties.owner  ==  r.subject.id || r.context.note == '(a, b) $ r-x in eval'",
      );
      const engine = engineOf(text, [rule('1 == 2'), owner]);
      assert.deepEqual(engine.decide(checkOf({ resource: { owner: 'alice' } })), {
        effect: 'allow',
        rule: owner,
      });
      assert.deepEqual(
        engine.decide(
          checkOf({ resource: { owner: 'bob' }, context: { note: '(a, b) $ r-x in eval' } }),
        ),
        { effect: 'allow', rule: owner },
      );
      assert.equal(
        engine.decide(checkOf({ resource: { owner: 'bob' }, context: { note: '' } })).effect,
        'deny',
      );
    });

    it('never run what the whitelist refuses, even where nobody asked for faults first', () => {
      const hostile = [
        'r.subject.constructor.constructor("globalThis.pwned = 1")()',
        '"".sub.constructor.constructor("globalThis.pwned = 1")()',
        'readMember(r_subject,"r","properties")',
        'true) || (true',
      ];
      for (const condition of hostile) {
        const engine = engineOf(text, [rule(condition)]);
        assert.deepEqual(
          engine.decide(checkOf()),
          { effect: 'error', message: 'a rule holds an expression that is not allowed' },
          condition,
        );
      }
      assert.equal((globalThis as { pwned?: number }).pwned, undefined);
    });
  });

  describe(`what node-casbin gets wrong, in the ${kind.name} engine`, () => {
    it('`g()` does not mix up names with commas', async () => {
      const text = modelText({
        r: 'sub, dom',
        p: 'sub, dom',
        g: ['_, _, _'],
        m: 'g(r.sub, p.sub, p.dom) && r.dom != "x" && (r.dom == p.dom || r.dom == "c")',
      });
      const rules: RuleLine[] = [
        ['p', 'a,b', 'c'],
        ['p', 'a', 'b,c'],
        ['g', 'alice', 'a,b', 'c'],
      ];
      const engine = engineOf(text, rules);
      assert.deepEqual(engine.decide(checkOf({ tenant: 'c' })), {
        effect: 'allow',
        rule: rules[0],
      });
      const second = engineOf(
        text
          .replace('some(where (p.eft == allow))', '!some(where (p.eft == deny))')
          .replace('p = sub, dom', 'p = sub, dom, eft'),
        [
          ['p', 'a,b', 'c', 'allow'],
          ['p', 'a', 'b,c', 'deny'],
          ['g', 'alice', 'a,b', 'c'],
        ],
      );
      assert.equal(second.decide(checkOf({ tenant: 'c' })).effect, 'allow');
      const stock = await stockEnforcer(
        text
          .replace('some(where (p.eft == allow))', '!some(where (p.eft == deny))')
          .replace('p = sub, dom', 'p = sub, dom, eft'),
        [
          ['p', 'a,b', 'c', 'allow'],
          ['p', 'a', 'b,c', 'deny'],
          ['g', 'alice', 'a,b', 'c'],
        ],
      );
      assert.equal(stock.enforceSync('alice', 'c'), false, 'node-casbin no longer mixes them up');
    });

    it('values with commas, quotes, brackets and blanks are compared as they are', () => {
      const odd = ['a,b', '"x"', '(', ' y ', "it's", 'a""b', '#', ';'];
      const engine = engineOf(
        shippedModel('acl'),
        odd.map((value): RuleLine => ['p', value, 'document:1', 'read']),
      );
      for (const value of odd) {
        assert.equal(engine.decide(checkOf({ sub: value })).effect, 'allow', value);
      }
      assert.equal(engine.decide(checkOf({ sub: 'y' })).effect, 'deny');
    });

    it('asking about unknown tenants keeps nothing in memory', () => {
      setFlagsFromString('--expose-gc');
      const collect = runInNewContext('gc') as () => void;
      const ask = (from: number) => {
        for (let i = from; i < from + 10_000; i++) {
          decide({ tenant: `t${i}`.padEnd(500, 'x') });
        }
        collect();
        return process.memoryUsage().heapUsed;
      };
      const before = ask(0);
      const grown = (ask(10_000) - before) / 1e6;
      assert.ok(grown < 3, `the heap grew by ${grown} MB`);
    });

    it('roles count ten levels deep, and no further', () => {
      const chain = Array.from({ length: 11 }, (_, i): RuleLine => ['g', `n${i}`, `n${i + 1}`]);
      const ask = (role: string) =>
        engineOf(modelText(), [...chain, ['p', role, 'document:1', 'read']]).decide(
          checkOf({ sub: 'n0' }),
        ).effect;
      assert.deepEqual(['n9', 'n10', 'n11'].map(ask), ['allow', 'allow', 'deny']);
      const { subject } = checkOf({ sub: 'n0' });
      const roles = engineOf(modelText(), chain).rolesOf({ tenant: 'acme', subject });
      assert.deepEqual(
        roles,
        chain.slice(0, 10).map(([, , role]) => role),
      );
    });

    it('a pattern that starts a placeholder and does not end it is an error, not a hang', () => {
      for (const [name, pattern] of [
        ['keyMatch2', '/x/:'],
        ['keyMatch3', '/a/{x'],
        ['keyMatch5', '/a/{x'],
      ] as const) {
        const text = modelText({ m: `r.act == p.act && ${name}(r.obj, p.obj)` });
        const engine = engineOf(text, [['p', 'x', pattern, 'read']]);
        const answer = engine.decide(checkOf());
        assert.ok(
          answer.effect === 'error' && answer.message.includes('starts no placeholder'),
          JSON.stringify(answer),
        );
        assert.equal(engine.decide(checkOf({ act: 'write' })).effect, 'deny');
      }
    });

    it('a pattern that takes a backtracking engine for ever is answered at once', () => {
      const text = modelText({ m: 'regexMatch(r.sub, p.sub) && r.obj == p.obj' });
      const engine = engineOf(text, [['p', '^(a+)+$', 'document:1', 'read']]);
      assert.equal(engine.decide(checkOf({ sub: 'a'.repeat(500) })).effect, 'allow');
      assert.equal(engine.decide(checkOf({ sub: `${'a'.repeat(500)}!` })).effect, 'deny');
    });

    it('`regexMatch` may match anywhere, as in node-casbin', () => {
      const text = modelText({ m: 'regexMatch(r.act, p.act)' });
      const engine = engineOf(text, [['p', 'x', 'x', 'read']]);
      assert.equal(engine.decide(checkOf({ act: 'unread' })).effect, 'allow');
    });

    it('a rule without a value is compared as node-casbin compares it: with nothing', () => {
      const text = modelText({ r: 'subject, context', p: 'sub, env', m: 'r.context.env == p.env' });
      const engine = engineOf(text, [['p', 'alice']]);
      assert.equal(engine.decide(checkOf({ context: { env: null } })).effect, 'allow');
      assert.equal(engine.decide(checkOf({ context: { env: '' } })).effect, 'deny');
    });

    it('roles in a clique are looked up at once', () => {
      const names = Array.from({ length: 40 }, (_, i) => `n${i}`);
      const engine = engineOf(modelText(), [
        ...names.flatMap((a) => names.map((b): RuleLine => ['g', a, b])),
        ['p', 'elsewhere', 'document:1', 'read'],
      ]);
      assert.equal(engine.decide(checkOf({ sub: 'n0' })).effect, 'deny');
    });

    it('a rule that cannot be evaluated is an error, and no other check suffers', () => {
      const engine = engineOf(modelText({ m: 'r.act == p.act && regexMatch(r.obj, p.obj)' }), [
        ['p', 'x', '(', 'write'],
        ['p', 'x', '^document', 'read'],
      ]);
      assert.equal(engine.decide(checkOf({ act: 'write' })).effect, 'error');
      assert.equal(engine.decide(checkOf({ act: 'read' })).effect, 'allow');
    });

    it('the order in which rules were added does not matter, only their rank', async () => {
      const text = shippedModel('priority');
      const line = fc
        .tuple(
          fc.integer({ min: -3, max: 12 }),
          fc.constantFrom('alice', 'ops'),
          fc.constantFrom('allow', 'deny', 'indeterminate'),
        )
        .map(
          ([priority, sub, eft]): RuleLine => [
            'p',
            String(priority),
            sub,
            'acme',
            'document:1',
            'read',
            eft,
          ],
        );
      await fc.assert(
        fc.asyncProperty(
          fc.uniqueArray(line, { maxLength: 8, selector: String }),
          async (lines) => {
            const rules: RuleLine[] = [...lines, ['g', 'alice', 'ops', 'acme']];
            const answer = engineOf(text, rules).decide(checkOf());
            const stock = await stockEnforcer(text, rules);
            const [allowed, named] = stock.enforceExSync('alice', 'acme', 'document:1', 'read');
            assert.equal(answer.effect === 'allow', allowed);
            assert.deepEqual('rule' in answer ? answer.rule?.slice(1) : [], named);
          },
        ),
        { numRuns: 100 },
      );
    });
  });

  describe(`the ${kind.name} engine against a stock node-casbin`, () => {
    const word = fc.constantFrom(
      'alice',
      'bob',
      'editor',
      'ops',
      'a,b',
      '1',
      '01',
      '',
      'document:1',
      'document:*',
      '*',
      'read',
    );
    const tenant = fc.constantFrom('acme', 'globex');
    const rule: fc.Arbitrary<RuleLine> = fc.oneof(
      fc
        .tuple(word, tenant, word, word, fc.constantFrom('allow', 'deny', 'indeterminate'))
        .map((values): RuleLine => ['p', ...values]),
      fc.tuple(word, word, tenant).map((values): RuleLine => ['g', ...values]),
      fc.tuple(word, word, tenant).map((values): RuleLine => ['g2', ...values]),
    );
    it('finds the lists in conditions that it accepts where node-casbin finds them', async () => {
      const conditions = [
        "r.sub in ['alice', 'bob']",
        "r.sub in ('alice', 'bob')",
        "r.sub in ['alice']",
        "keyMatch(r.obj, 'document:*')",
        "keyMatch (r.obj, 'document:*')",
        "keyMatch(r.obj, 'document:*') && (r.sub in ['alice'])",
        "(r.sub in ['alice', 'bob'])",
        "r.sub == 'alice'",
      ];
      const counts = { refused: 0, equal: 0 };
      for (const m of [
        'r.obj == p.obj && eval(p.first)',
        'r.obj == p.obj &&eval(p.first)',
        'eval(p.first) && r.obj == p.obj',
        'r.obj == p.obj && (eval(p.first) || eval(p.second))',
        'r.obj == p.obj &&(eval(p.first)||eval(p.second))',
        "(r.act in ['read', 'write']) && r.obj == p.obj &&eval(p.first)",
        'keyMatch (r.obj, p.obj) &&eval(p.first)',
      ]) {
        const text = modelText({ p: 'obj, first, second', m });
        for (const first of conditions) {
          for (const second of m.includes('second') ? conditions : ['true']) {
            const rule: RuleLine = ['p', 'document:1', first, second];
            if (modelOf(text).faultOf(rule) !== undefined) {
              counts.refused += 1;
              continue;
            }
            const stock = await stockEnforcer(text, [rule]);
            for (const sub of ['alice', 'carol']) {
              const { effect } = engineOf(text, [rule]).decide(checkOf({ sub }));
              const allowed = stock.enforceSync(sub, 'document:1', 'read');
              assert.equal(effect, allowed ? 'allow' : 'deny', `${m}: ${first}, ${second}`);
            }
            counts.equal += 1;
          }
        }
      }
      assert.ok(counts.equal > 50 && counts.refused > 50, JSON.stringify(counts));
    });

    for (const [e, name] of [
      ['some(where (p.eft == allow))', 'allow-override'],
      ['!some(where (p.eft == deny))', 'deny-override'],
      ['some(where (p.eft == allow)) && !some(where (p.eft == deny))', 'allow-and-deny'],
      ['priority(p.eft) || deny', 'priority'],
    ] as const) {
      it(`decides the same under ${name}, and names the same rule`, async () => {
        const text = shippedModel('rbac-tenant').replace(/^e = .*$/m, `e = ${e}`);
        await fc.assert(
          fc.asyncProperty(
            fc.array(rule, { maxLength: 12 }),
            fc.array(fc.tuple(word, tenant, word), { minLength: 4, maxLength: 4 }),
            async (rules, asked) => {
              const engine = engineOf(text, rules);
              const stock = await stockEnforcer(text, rules);
              for (const [sub, dom, act] of asked) {
                const [allowed, named] = stock.enforceExSync(sub, dom, 'document:1', act);
                const answer = engine.decide(checkOf({ sub, tenant: dom, act }));
                assert.equal(answer.effect === 'allow', allowed);
                assert.deepEqual('rule' in answer ? (answer.rule?.slice(1) ?? []) : [], named);
              }
            },
          ),
          { numRuns: 150 },
        );
      });
    }
  });
}

ENGINES.forEach(describeEngine);
