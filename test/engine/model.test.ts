import assert from 'node:assert/strict';
import { newModelFromString } from 'casbin';
import type { ModelOptions } from '../../src/engine/model.js';
import { faultsOf, modelOf, modelText, shippedModel } from './support.js';

const TENANT = { r: 'sub, dom, obj, act', p: 'sub, dom, obj, act', g: ['_, _, _'] };
const matcher = (m: string, options?: ModelOptions): string[] =>
  faultsOf(modelText({ m }), options);

describe('parsing a model', () => {
  for (const name of ['rbac-tenant', 'acl', 'rbac-groups', 'abac', 'restful', 'priority']) {
    it(`accepts the shipped model ${name}, as node-casbin does`, () => {
      modelOf(shippedModel(name));
      newModelFromString(shippedModel(name));
    });
  }

  it('gives what the default model defines', () => {
    const model = modelOf(shippedModel('rbac-tenant'));
    assert.deepEqual(
      [...model.requestTokens].map(([name, { path }]) => [name, path.join('.')]),
      [
        ['sub', 'subject.key'],
        ['dom', 'tenant'],
        ['obj', 'resource.key'],
        ['act', 'action.name'],
      ],
    );
    assert.deepEqual(model.policyTokens, ['sub', 'dom', 'obj', 'act', 'eft']);
    assert.deepEqual(
      [...model.roleTypes],
      [
        ['g', 3],
        ['g2', 3],
      ],
    );
    assert.equal(model.effect, 'allow-and-deny');
    assert.equal(model.hasDomain, true);
    assert.deepEqual(
      ['p', 'g', 'g2', 'g3'].map((type) => model.tenantField(type)),
      [1, 2, 2, undefined],
    );
    assert.ok(Object.isFrozen(model), 'the model can be changed');
  });

  it('knows the five effects, written as Casbin writes them', () => {
    const effects = {
      'some(where (p.eft == allow))': 'allow-override',
      'some(where (p_eft == allow))': 'allow-override',
      '!some(where (p.eft == deny))': 'deny-override',
      'some(where (p.eft == allow)) && !some(where (p.eft == deny))': 'allow-and-deny',
      'priority(p.eft) || deny': 'priority',
      'subjectPriority(p.eft) || deny': 'subject-priority',
    };
    for (const [e, effect] of Object.entries(effects)) {
      assert.equal(modelOf(modelText({ e })).effect, effect);
    }
    assert.match(
      faultsOf(modelText({ e: 'some(where (p.eft==allow))' }))[0]!,
      /^8:5: write the effect exactly as `some\(where \(p\.eft == allow\)\)`$/,
    );
    assert.match(
      faultsOf(modelText({ e: 'most(where (p.eft == allow))' }))[0]!,
      /^8:5: the effect .* is not known; use one of/,
    );
  });

  it('finds every fault at once, each at its place', () => {
    const text = `[request_definition]
r = sub, obj, act, sub
r2 = sub
[policy_definition]
p = sub, obj act
[policy_effect]
e = whatever
[role_definition]
g = _, _
g3 = _, _
[matchers]
m = g(r.sub, p.sub) && r.typo == p.typo2 && \\
    # a comment between
    allowed(r.obj)
[matcher]
m = 1
`;
    assert.deepEqual(
      faultsOf(text).map((fault) => fault.split(/[;,]/)[0]!),
      [
        '2:20: the token `sub` is given twice',
        '3:1: `r2`: several sections at once are not supported',
        '5:10: `obj act` is no name for a token',
        '7:5: the effect `whatever` is not known',
        '10:1: expected `g2`',
        '12:24: `r.typo` is not defined',
        '12:34: `p.typo2` is not defined',
        '14:5: the function `allowed` is not known',
        '16:1: the section `[matcher]` is not known',
      ],
    );
  });

  it('refuses what node-casbin would pass over in silence', () => {
    assert.match(
      faultsOf('r = sub\n[matchers]\nm = 1').join('\n'),
      /1:1: this stands before the first section/,
    );
    assert.match(
      faultsOf(`${modelText()}[matchers]\nm = r.sub == p.sub`).join('\n'),
      /the section `\[matchers\]` is given twice/,
    );
    assert.match(
      faultsOf(modelText().replace('p = ', 'p = a\np = ')).join('\n'),
      /`p` is given twice/,
    );
    assert.match(
      faultsOf(`${modelText().trim()} \\`).join('\n'),
      /the line ends in `\\`, but nothing follows/,
    );
    assert.match(faultsOf(modelText().replace('m = ', 'm ')).join('\n'), /./);
    assert.match(faultsOf(modelText({ g: ['_'] })).join('\n'), /`g` must be `_, _`/);
    assert.match(faultsOf(modelText({ g: ['_, _, _, _'] })).join('\n'), /`g` must be `_, _`/);
    assert.match(faultsOf('').join('\n'), /no `\[matchers\]` with `m = …`/);
  });

  it('reads comments and continued lines as node-casbin does', () => {
    const text = modelText({
      m: 'r.sub == p.sub && \\\n   # between\n\n  r.obj == p.obj && \\ ; after\n r.act == "a" # end',
    });
    assert.equal(
      modelOf(text).matcherText,
      newModelFromString(text)
        .model.get('m')!
        .get('m')!
        .value.replace(/([rp])_/g, '$1.'),
    );
    assert.match(
      matcher('r.sub == "a#b"')[0]!,
      /14:\d+: the text that starts with `"` has no end; in a model `#` and `;` start a comment/,
    );
  });

  it('refuses misspelt tokens, unknown functions and wrong numbers of arguments', () => {
    assert.deepEqual(matcher('r.typo == p.typo2'), [
      '14:5: `r.typo` is not defined; the model has `r.sub`, `r.obj`, `r.act`',
      '14:15: `p.typo2` is not defined; the model has `p.sub`, `p.obj`, `p.act`',
    ]);
    assert.match(matcher('p.eft == "allow"')[0]!, /`p\.eft` is not defined/);
    assert.match(matcher('g(r.sub, p.sub, r.obj)')[0]!, /`g` takes 2 arguments, not 3/);
    assert.match(
      matcher('g2(r.sub, p.sub)')[0]!,
      /`g2` is not defined under `\[role_definition\]`/,
    );
    assert.match(matcher('keyMatch(r.obj)')[0]!, /`keyMatch` takes 2 arguments, not 1/);
    assert.match(
      matcher('hasOwnProperty(r.obj)')[0]!,
      /the function `hasOwnProperty` is not known/,
    );
    assert.match(matcher('toString(r.obj, p.obj)')[0]!, /the function `toString` is not known/);
    assert.match(matcher('p.sub.length == 3')[0]!, /rule values are text/);
    assert.match(
      matcher('r.sub.length == 3')[0]!,
      /`r\.sub\.length` cannot be read: what stands before the last `\.` is text/,
    );
  });

  it('takes patterns from authors alone, and checks those in the matcher', () => {
    assert.match(
      matcher('regexMatch(p.obj, r.obj)')[0]!,
      /the pattern of `regexMatch` is its second argument/,
    );
    assert.match(
      matcher('keyMatch(r.obj, p.obj + "*")')[0]!,
      /must be a field of a rule or text in quotes/,
    );
    assert.match(matcher('keyMatch2(r.obj, "/x/:")')[0]!, /starts no placeholder/);
    assert.deepEqual(matcher('keyMatch2(r.obj, "/x/:id") && r.sub == p.sub'), []);
  });

  it('refuses a matcher that passes over the tenant', () => {
    assert.match(
      faultsOf(modelText({ ...TENANT, m: 'r.sub == p.sub && r.obj == p.obj' }))[0]!,
      /must compare `r\.dom` or pass it to `g`/,
    );
    assert.match(
      faultsOf(modelText({ ...TENANT, m: 'r.sub == p.sub && r.dom != p.dom' }))[0]!,
      /must compare `r\.dom`/,
    );
    assert.deepEqual(faultsOf(modelText({ ...TENANT, m: 'r.sub == p.sub && p.dom == r.dom' })), []);
    assert.deepEqual(faultsOf(modelText({ ...TENANT, m: 'g(r.sub, p.sub, r.dom)' })), []);
    const request = { team: 'tenant' };
    assert.match(
      faultsOf(modelText({ r: 'sub, team', m: 'r.sub == p.sub' }), { request })[0]!,
      /must compare `r\.team`/,
    );
  });

  it('finds the field of a rule that names its tenant', () => {
    const model = modelOf(
      modelText({
        r: 'sub, dom, obj',
        p: 'sub, obj, team',
        g: ['_, _, _', '_, _'],
        m: 'g(r.sub, p.sub, r.dom) && p.team == r.dom && g2(r.obj, p.obj)',
      }),
    );
    assert.deepEqual(
      ['p', 'g', 'g2'].map((type) => model.tenantField(type)),
      [2, 2, undefined],
    );
    assert.equal(modelOf(modelText()).tenantField('p'), undefined);
    assert.equal(modelOf(modelText()).hasDomain, false);
  });

  it('fills tokens from paths', () => {
    const r = 'sub, env, act';
    const m = 'r.sub == p.sub && r.env == p.obj';
    assert.match(
      faultsOf(modelText({ r, m }))[0]!,
      /^2:10: nothing fills `r\.env`; give its path as `request: {env: …}`/,
    );
    const model = modelOf(modelText({ r, m }), {
      request: { env: 'resource.properties.environment', sub: 'subject.id' },
    });
    assert.deepEqual(model.requestTokens.get('sub')!.path, ['subject', 'id']);
    for (const bad of [
      'resource.name',
      'foo',
      'subject.properties.constructor',
      '__proto__',
      'tenant.id',
      'subject..id',
      '',
      'context.a b',
      'subject.id.length',
    ]) {
      assert.match(
        faultsOf(modelText({ r, m }), { request: { env: bad } })[0]!,
        /is no path of a check/,
        bad,
      );
    }
    assert.match(
      faultsOf(modelText(), { request: { other: 'tenant' } })[0]!,
      /`request` fills `other`, but the model has no `r\.other`/,
    );
  });

  it('refuses members that no request has', () => {
    const r = 'subject, resource, action, context';
    assert.match(
      faultsOf(modelText({ r, m: 'r.subject.name == p.sub' }))[0]!,
      /`r\.subject\.name` is not defined; there are `type`, `id`, `properties`/,
    );
    assert.match(
      faultsOf(modelText({ r, m: 'r.subject.key == p.sub' }))[0]!,
      /`r\.subject\.key` is not defined/,
    );
    assert.match(faultsOf(modelText({ r, m: 'r.action.name.length == 3' }))[0]!, /is text/);
    assert.match(
      faultsOf(modelText({ r, m: 'r.subject.properties.constructor == 3' }))[0]!,
      /the member `constructor` cannot be read/,
    );
    assert.deepEqual(
      faultsOf(
        modelText({
          r,
          m: 'r.resource.properties.owner == r.subject.id && r.context.a.key == p.sub',
        }),
      ),
      [],
    );
  });

  it('takes matching functions for roles by name', () => {
    assert.deepEqual(faultsOf(modelText(), { rolePatterns: { g: 'keyMatch2' } }), []);
    assert.match(
      faultsOf(modelText(), { rolePatterns: { g: 'keyMatch9' } })[0]!,
      /`role_patterns` gives `keyMatch9` for `g`; there are `keyMatch`/,
    );
    assert.match(
      faultsOf(modelText(), { rolePatterns: { g2: 'keyMatch' } })[0]!,
      /`role_patterns` names `g2`, which the model does not define/,
    );
  });

  it('refuses `eval` but of a rule field that is used for nothing else', () => {
    assert.match(matcher('eval(r.sub)')[0]!, /`eval` takes one field of a rule/);
    assert.match(matcher('eval("1 == 1")')[0]!, /`eval` takes one field of a rule/);
    assert.match(matcher('eval(p.sub, p.obj)')[0]!, /`eval` takes one field of a rule/);
    assert.match(
      matcher('eval(p.sub) && p.sub == r.sub')[0]!,
      /evaluated by `eval`, so it cannot be read as text too/,
    );
    assert.match(matcher('eval')[0]!, /`eval` is not known here/);
  });

  it('refuses names that node-casbin would take for rule fields', () => {
    const request = { cap_x: 'context.cap' };
    assert.match(
      faultsOf(modelText({ r: 'sub, cap_x', m: 'r.sub == r.cap_x' }), { request })[0]!,
      /Casbin would take this `p_`/,
    );
  });

  it('says what the effect `subjectPriority` needs', () => {
    const e = 'subjectPriority(p.eft) || deny';
    assert.match(
      faultsOf(modelText({ e, p: 'who, obj, act', m: 'r.sub == p.who' }))[0]!,
      /needs a field `p\.sub`/,
    );
  });
});

describe('checking a rule', () => {
  const model = modelOf(shippedModel('rbac-tenant'));
  const priority = modelOf(shippedModel('priority'));
  const abac = modelOf(shippedModel('abac'));
  const restful = modelOf(shippedModel('restful'));
  const condition = (value: string): string | undefined =>
    abac.faultOf(['p', 'acme', value, 'document', 'read', 'allow'])?.message;

  it('accepts good rules, whatever signs their values hold', () => {
    assert.equal(model.faultOf(['p', 'editor', 'acme', 'document:*', 'read', 'allow']), undefined);
    assert.equal(model.faultOf(['p', 'a,b "c" (d', 'acme', '[x] | y', 'é 𝄞', 'deny']), undefined);
    assert.equal(model.faultOf(['g2', 'document:1', 'board', 'acme']), undefined);
  });

  it('refuses unknown types and wrong numbers of values, naming the fields', () => {
    assert.deepEqual(model.faultOf(['p2', 'a']), {
      message: 'the rule type `p2` is not known; this model has `p`, `g`, `g2`',
    });
    assert.deepEqual(model.faultOf(['p', 'editor', 'acme']), {
      message: '`p` takes 5 values (sub, dom, obj, act, eft), not 2',
    });
    assert.deepEqual(model.faultOf(['g', 'alice', 'editor', 'acme', 'x']), {
      message: '`g` takes 3 values (name, role, tenant), not 4',
    });
    assert.match(model.faultOf(['__proto__'])!.message, /is not known/);
  });

  it('refuses control characters, lone surrogates and overlong values', () => {
    for (const bad of [
      'a\nb',
      'a\u0000',
      '\u007f',
      '\u0085',
      '\ud83d',
      'x\udc00y',
      'x'.repeat(4097),
    ]) {
      assert.equal(
        model.faultOf(['p', 'editor', 'acme', bad, 'read', 'allow'])?.field,
        2,
        JSON.stringify(bad),
      );
    }
  });

  it('refuses misspelt effects and priorities that are no whole numbers', () => {
    for (const bad of ['Allow', 'dney', '', 'allow ']) {
      assert.match(
        model.faultOf(['p', 'editor', 'acme', 'x', 'read', bad])!.message,
        /is neither `allow` nor `deny`/,
      );
    }
    for (const bad of ['', 'high', '1.5', '1e3', '9'.repeat(20)]) {
      assert.match(
        priority.faultOf(['p', bad, 'editor', 'acme', 'x', 'read', 'allow'])!.message,
        /is no whole number/,
      );
    }
    assert.equal(priority.faultOf(['p', '-10', 'editor', 'acme', 'x', 'read', 'allow']), undefined);
  });

  it('parses every expression that reaches `eval`', () => {
    assert.equal(condition('r.resource.properties.owner == r.subject.id'), undefined);
    assert.equal(condition("r.context.country in ['DE', 'AT']"), undefined);
    assert.equal(condition('r.subject.properties.age >= 18 && r.dom == "acme"'), undefined);
    assert.match(
      condition('r.subject.typo == 1')!,
      /`r\.subject\.typo` is not defined.*\(at character 1\)/,
    );
    assert.match(condition('eval(p.condition)')!, /a rule value cannot use `eval` itself/);
    assert.match(condition('')!, /ends too early/);
    for (const hostile of [
      'r.subject.constructor.constructor("return process")()',
      '"".sub.constructor.constructor("return process.exit(1)")()',
      'keyMatch.constructor("return process.exit(1)")()',
      'readMember(r.subject, "constructor")',
      'isIn("a", r.subject)',
      'true) || (true',
      'true, true',
      'true; true',
      'this',
      'r.subject.properties = 1',
      'r.context["constructor"]',
      'p.condition.constructor',
      '`x`',
      "'$&'",
      "' r.sub'",
    ]) {
      assert.notEqual(condition(hostile), undefined, hostile);
    }
  });

  it('refuses patterns that would make node-casbin throw or hang for every request', () => {
    const rule = (obj: string, act: string) => restful.faultOf(['p', 'clerk', 'acme', obj, act]);
    assert.equal(rule('path:/orders/:id', '^(GET|PUT)$'), undefined);
    assert.deepEqual(rule('/x/:', 'GET')?.field, 2);
    assert.match(rule('/orders', '(GET')!.message, /`\(GET` is no regular expression/);
    assert.match(rule('/orders', '(?=G)')!.message, /is not supported/);
    const ip = modelOf(modelText({ m: 'ipMatch(r.sub, p.sub) && r.obj == p.obj' }));
    assert.match(ip.faultOf(['p', '10.0.0.0/99', 'x', 'y'])!.message, /no prefix length/);
    const roles = modelOf(modelText(), { rolePatterns: { g: 'keyMatch2' } });
    assert.match(roles.faultOf(['g', '/x/:', 'books'])!.message, /starts no placeholder/);
    assert.equal(modelOf(modelText()).faultOf(['g', '/x/:', 'books']), undefined);
  });
});
