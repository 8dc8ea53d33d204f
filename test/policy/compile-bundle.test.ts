import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { compareBytes, digestOf, MAX_BUNDLE_BYTES } from '../../src/policy/bundle-file-set.js';
import { compileBundle, inOrder } from '../../src/policy/compile-bundle.js';
import type { BundleFiles, CompiledBundle } from '../../src/policy/compiled-bundle.js';
import { loadShippedModels } from '../../src/policy/shipped-models.js';
import { readBundleDirectory } from '../../src/policy/bundle-directory.js';
import { bundleOf, TENANT_MODEL } from './support.js';

const told = (faults: readonly { file: string; line: number; column: number; message: string }[]) =>
  faults.map((f) => `${f.file}:${f.line}:${f.column}: ${f.message}`);
const compile = (files: BundleFiles, shipped: [string, string][] = []) =>
  compileBundle(files, { shippedModels: new Map(shipped) });
const faultsOf = (files: BundleFiles): string[] => {
  const compilation = compile(files);
  return 'faults' in compilation ? told(compilation.faults) : [];
};
const bundleFrom = (files: BundleFiles, shipped: [string, string][] = []): CompiledBundle => {
  const compilation = compile(files, shipped);
  if ('faults' in compilation) assert.fail(told(compilation.faults).join('\n'));
  return compilation.bundle;
};
const warningsOf = (files: BundleFiles): string[] => {
  const compilation = compile(files);
  if ('faults' in compilation) assert.fail(told(compilation.faults).join('\n'));
  return told(compilation.warnings);
};

const ACL = `[request_definition]
r = sub, obj, act
[policy_definition]
p = sub, obj, act
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = r.sub == p.sub && r.obj == p.obj && r.act == p.act
`;
const acl = (bundleYaml: string, others: Record<string, string> = {}) =>
  bundleOf('p, alice, document:1, read\n', {
    'bundle.yaml': `name: t\nmodel: test\n${bundleYaml}`,
    'models/test.conf': ACL,
    ...others,
  });
const comment = (id: string, more = '') =>
  `rules:\n  - id: ${id}\n    kind: require-comment\n${more}    comment: {min_length: 1}\n`;

describe('compiling a bundle', () => {
  it('gives its model, rules in their order, governance rules, tests and settings', () => {
    const bundle = bundleFrom(
      bundleOf(
        { 'rules/b.csv': 'p, b, acme, o, read, allow\n', 'rules/a.csv': 'g, alice, b, acme\n' },
        {
          'bundle.yaml':
            'name: demo\nmodel: test\ntenants: [acme]\nroles_as_subjects: true\naudit: {redact: [context.card]}\napproval: {bind: [ticket, context.window.start]}\n',
          'governance/a.yaml': comment('why'),
          'tests/a.yaml':
            'now: 2026-03-30T10:00:00Z\ntests:\n  - name: one\n    check: {tenant: acme, subject: b, action: read, resource: "o:1"}\n    expect: {decision: deny, reason: no_matching_rule}\n  - name: two\n    now: 2026-03-30T12:00:00+02:00\n    check: {tenant: acme, subject: {id: b}, action: read, resource: "o:1", explain: true}\n    expect: {decision: allow}\n',
        },
      ),
    );
    assert.deepEqual(
      bundle.rules.map(({ line, source }) => [line[0], source.file, source.line]),
      [
        ['g', 'rules/a.csv', 1],
        ['p', 'rules/b.csv', 1],
      ],
    );
    assert.deepEqual(bundle.settings, {
      tenants: ['acme'],
      sharedRules: false,
      rolesAsSubjects: true,
      redact: ['context.card'],
      bind: ['ticket', 'window.start'],
    });
    assert.deepEqual(
      bundle.governance.map(({ id }) => id),
      ['why'],
    );
    assert.deepEqual(bundle.tests, [
      {
        name: 'one',
        now: Date.UTC(2026, 2, 30, 10),
        check: { tenant: 'acme', subject: 'b', action: 'read', resource: 'o:1' },
        expect: { decision: 'deny', reason: 'no_matching_rule' },
        source: { file: 'tests/a.yaml', line: 3, column: 5 },
      },
      {
        name: 'two',
        now: Date.UTC(2026, 2, 30, 10),
        check: {
          tenant: 'acme',
          subject: { id: 'b' },
          action: 'read',
          resource: 'o:1',
          explain: true,
        },
        expect: { decision: 'allow' },
        source: { file: 'tests/a.yaml', line: 6, column: 5 },
      },
    ]);
    assert.equal(bundle.name, 'demo');
    assert.equal(bundle.model.text, TENANT_MODEL);
  });

  it('finds no fault in the bundle that ships, nor a reason to warn', async () => {
    const { files } = await readBundleDirectory('policies');
    const compilation = compileBundle(files, { shippedModels: await loadShippedModels() });
    assert.deepEqual('faults' in compilation ? told(compilation.faults) : [], []);
    assert.deepEqual(told(compilation.warnings), []);
  });

  it('tells every fault of every file at once, by file, then line and column as numbers', () => {
    const rules = `${'# \n'.repeat(8)}p, a\n\nzz, a\n`;
    const faults = faultsOf(
      bundleOf(rules, {
        'bundle.yaml': 'name: demo\nmodel: test\nmodle: x\n',
        'models/test.conf': TENANT_MODEL,
        'governance/a.yaml': 'rules: [\n',
        'tests/a.yaml':
          'tests:\n  - name: one\n    check: {}\n    expect: {decision: allow, reason: rate_limited}\n  - name: two\n    now: yesterday\n    check: 1\n    expect: {}\n',
      }),
    );
    assert.deepEqual(
      faults.map((fault) => fault.split(': ')[0]),
      [
        'bundle.yaml:3:1',
        'governance/a.yaml:2:1',
        'rules/a.csv:9:1',
        'rules/a.csv:11:1',
        'tests/a.yaml:3:12',
        'tests/a.yaml:3:12',
        'tests/a.yaml:3:12',
        'tests/a.yaml:3:12',
        'tests/a.yaml:4:39',
        'tests/a.yaml:6:10',
        'tests/a.yaml:7:12',
        'tests/a.yaml:8:13',
      ],
    );
  });

  it('goes on after everything in YAML that is no syntax error', () => {
    const faults = faultsOf(
      bundleOf('p, a\n', {
        'bundle.yaml': 'name: t\nname: u\nmodel: test\nfoo: 1\n',
        'governance/a.yaml': `rules: &all\n  - {id: a, kind: nope}\n  - id: !!str b\n    kind: require-comment\n    id: c\n    when: tenat == "a"\n    comment: {min_length: \u0007"x"}\nmore: *all\n`,
        'tests/a.yaml': 'now: 2026-02-31T00:00:00Z\ntests: []\ntests: []\nnow: {}\n<<: {name: x}\n',
      }),
    );
    assert.deepEqual(
      faults.map((fault) => fault.replace(/;.*/, '')),
      [
        'bundle.yaml:2:1: the key `name` is given twice',
        'bundle.yaml:4:1: unknown member `foo`',
        'governance/a.yaml:1:8: remove the anchor',
        'governance/a.yaml:2:19: expected one of `time-window`, `require-comment`, `approval-required`, `rate-limit`, found `nope`',
        'governance/a.yaml:3:9: remove the tag',
        'governance/a.yaml:5:5: the key `id` is given twice',
        'governance/a.yaml:6:11: unknown variable `tenat`, did you mean `tenant`?',
        'governance/a.yaml:7:27: remove the control character `U+0007`',
        'governance/a.yaml:8:1: unknown member `more`',
        'governance/a.yaml:8:7: write the value out',
        'rules/a.csv:1:1: `p` takes 5 values (sub, dom, obj, act, eft), not 1',
        'tests/a.yaml:1:6: `2026-02-31T00:00:00Z` is no time',
        'tests/a.yaml:3:1: the key `tests` is given twice',
        'tests/a.yaml:4:1: the key `now` is given twice',
        'tests/a.yaml:5:1: write the members out',
      ],
    );
  });

  it('ends the reading of a file alone whose syntax is broken', () => {
    const faults = faultsOf(
      bundleOf('p, a\n', {
        'governance/a.yaml': 'rules: [\n',
        'governance/b.yaml': 'rules: [{}]\n',
        'tests/a.yaml': 'test: []\n',
      }),
    );
    assert.deepEqual(
      faults.map((fault) => fault.split(': ')[0]),
      [
        'governance/a.yaml:2:1',
        'governance/b.yaml:1:9',
        'rules/a.csv:1:1',
        'tests/a.yaml:1:1',
        'tests/a.yaml:1:1',
      ],
    );
  });

  it('judges rules whatever is wrong in `bundle.yaml` beside the model', () => {
    const wrong = [
      'audit: {redact: [1]}',
      'tenants: [acme, Globex, 7]',
      'tenants: acme',
      'request: {sub: subject.id, act: nothing.here, typo: context}',
      'request: {sub: 1, "a-b": tenant}',
      'role_patterns: {g: 1, g2: keyMatch}',
      'approval: {bind: [{}]}',
      'approval: 1',
      'shared_rules: 1',
      'roles_as_subjects: 1',
    ];
    for (const member of wrong) {
      const faults = faultsOf(
        bundleOf('p, a\n', { 'bundle.yaml': `model: test\n${member}\ntypo: 1\n` }),
      ).map((fault) => fault.split(': ')[0]);
      assert.deepEqual([faults[0], faults.at(-1)], ['bundle.yaml:1:1', 'rules/a.csv:1:1'], member);
      assert.ok(faults.includes('bundle.yaml:3:1'), `the unknown member beside ${member}`);
      assert.ok(
        faults.some((place) => place?.startsWith('bundle.yaml:2:')),
        `the fault of ${member}`,
      );
    }
  });

  it('judges a token of the model whose path leads nowhere, and goes on', () => {
    const model = TENANT_MODEL.replace('sub, dom, obj, act\n', 'sub, dom, obj, act, env\n').replace(
      'm = ',
      'm = r.env.name == "prod" && ',
    );
    const faults = faultsOf(
      bundleOf('p, a\n', {
        'bundle.yaml': 'name: t\nmodel: test\nrequest: {env: no.where, typo: tenant}\n',
        'models/test.conf': model,
      }),
    );
    assert.deepEqual(
      faults.map((fault) => fault.split(': ')[0]),
      ['bundle.yaml:3:11', 'bundle.yaml:3:26', 'rules/a.csv:1:1'],
      faults.join('\n'),
    );
  });

  it('does not miss the tenants of a model without `dom` where they are only misspelt', () => {
    assert.equal(faultsOf(acl('tenants: acme\n')).length, 1);
    assert.equal(faultsOf(acl('tenants: [acme, globex]\nshared_rules: yes\n')).length, 1);
  });

  it('goes on beside paths and characters that cannot be', () => {
    const faults = faultsOf(
      new Map([...bundleOf('p, a\n# a\0\n# \0\n'), ['../x', ''], ['tests/a.yaml', 'x: \0\n']]),
    );
    assert.deepEqual(
      faults.map((fault) => fault.split(': ')[0]),
      [
        '../x:1:1',
        'rules/a.csv:1:1',
        'rules/a.csv:2:4',
        'rules/a.csv:3:3',
        'tests/a.yaml:1:1',
        'tests/a.yaml:1:1',
        'tests/a.yaml:1:4',
      ],
    );
  });

  it('tells every fault of the check of a test where it stands, without running it', () => {
    const test = (check: string) =>
      `tests:\n  - name: one\n    check: ${check}\n    expect: {decision: allow}\n`;
    assert.deepEqual(
      faultsOf(
        bundleOf('p, a\n', {
          'tests/a.yaml': test('{tenant: ACME, subject: "", resource: x, foo: 1}'),
        }),
      ).map((fault) => fault.replace(/; .*/, '')),
      [
        'rules/a.csv:1:1: `p` takes 5 values (sub, dom, obj, act, eft), not 1',
        'tests/a.yaml:3:12: the member `action` is missing',
        'tests/a.yaml:3:21: expected a tenant: up to 63 of lower-case letters, digits, `_`, `-`, found `ACME`',
        'tests/a.yaml:3:36: expected a text that is not empty',
        'tests/a.yaml:3:50: expected a resource as `type:id`, found `x`',
        'tests/a.yaml:3:53: unknown member `foo`',
      ],
    );
    const whole =
      '{tenant: acme, subject: {type: service, id: ci}, action: {name: read, properties: {}}, resource: {type: document, id: "1"}, context: {a: 1}, explain: true, dry_run: true, min_revision: 1}';
    assert.deepEqual(faultsOf(bundleOf('', { 'tests/a.yaml': test(whole) })), []);
    assert.deepEqual(
      faultsOf(bundleOf('', { 'tests/a.yaml': test('{action: read, resource: "a:1"}') })),
      [
        'tests/a.yaml:3:12: the member `tenant` is missing',
        'tests/a.yaml:3:12: the member `subject` is missing',
      ],
    );
  });

  it('binds paths of the context alone, and says what to write', () => {
    const faults = (path: string) =>
      faultsOf(
        bundleOf('', { 'bundle.yaml': `name: t\nmodel: test\napproval: {bind: [${path}]}\n` }),
      );
    for (const path of [
      'ticket',
      'context.ticket',
      'context.resource.id',
      'ticket.id',
      'a.comment',
    ]) {
      assert.deepEqual(faults(path), [], path);
    }
    const refused: [path: string, message: RegExp][] = [
      ['context', /name a member of the context, such as `context\.ticket`$/],
      ['comment', /the comment is never bound/],
      ['context.comment', /the comment is never bound/],
      [
        'resource.id',
        /`resource` is bound in any case; remove it, or write `context\.resource\.id`/,
      ],
      ['subject.id', /write `context\.subject\.id`/],
      ['action', /write `context\.action`/],
      ['tenant', /write `context\.tenant`/],
      ['a..b', /expected a path/],
    ];
    for (const [path, message] of refused) {
      assert.match(faults(path).join('\n'), /^bundle\.yaml:3:19: [^\n]*$/, path);
      assert.match(faults(path)[0] ?? '', message);
    }
  });

  it('masks members that a check can have alone', () => {
    const faults = (path: string) =>
      faultsOf(
        bundleOf('', { 'bundle.yaml': `name: t\nmodel: test\naudit: {redact: [${path}]}\n` }),
      );
    const taken = [
      'context.card',
      'context.comment',
      'context.a.0.b',
      'subject.id',
      'subject.properties',
      'subject.properties.phone',
      'action.name',
      'action.properties.x.y',
      'resource.type',
      'resource.properties.iban',
    ];
    for (const path of taken) assert.deepEqual(faults(path), [], path);
    const refused = [
      'card',
      'context',
      'subject',
      'resource.iban',
      'subject.id.x',
      'action.id',
      'subject.name',
      'tenant',
      'roles.x',
      'check.context.x',
      'context.',
      'context.a b',
    ];
    for (const path of refused) {
      assert.match(
        faults(path).join('\n'),
        /^bundle\.yaml:3:18: expected a member of the check, such as [^\n]*$/,
        path,
      );
    }
  });

  it('tells the faults of a model under its path', () => {
    const [fault] = faultsOf(bundleOf('', { 'models/test.conf': 'r = sub' }));
    assert.match(fault ?? '', /^models\/test\.conf:\d+:\d+: /);
  });

  it('tells what `bundle.yaml` says amiss of its model at the place where it does', () => {
    const options =
      'request: {sub: subject.id, act: nothing.here, typo: context}\nrole_patterns: {g2: keyMatch, g: noMatch}\n';
    assert.deepEqual(
      faultsOf(bundleOf('', { 'bundle.yaml': `name: t\nmodel: test\n${options}` }))
        .map((fault) => fault.split(': ')[0])
        .filter((place) => place?.startsWith('bundle.yaml')),
      ['bundle.yaml:3:28', 'bundle.yaml:3:47', 'bundle.yaml:4:17', 'bundle.yaml:4:31'],
    );
  });

  it('places the fault of a rule at the value that is wrong', () => {
    assert.deepEqual(
      faultsOf(bundleOf('p, editor, acme, document:*,   write, maybe\n')).map(
        (fault) => fault.split(': ')[0],
      ),
      ['rules/a.csv:1:39'],
    );
  });

  it('needs a `bundle.yaml`', () => {
    const files = new Map([...bundleOf('')].filter(([path]) => path !== 'bundle.yaml'));
    assert.deepEqual(faultsOf(files), [
      'bundle.yaml:1:1: the bundle has no `bundle.yaml`; add one with `name` and `model`',
    ]);
  });

  it('takes its model from the bundle before one that ships', () => {
    const own = bundleOf('');
    assert.equal(bundleFrom(own, [['test', ACL]]).model.text, TENANT_MODEL);
    const shipped = new Map([...own].filter(([path]) => path !== 'models/test.conf'));
    assert.equal(bundleFrom(shipped, [['test', TENANT_MODEL]]).model.text, TENANT_MODEL);
    assert.match(
      faultsOf(shipped)[0] ?? '',
      /^bundle\.yaml:2:8: there is no model `test`; add `models\/test\.conf`/,
    );
  });

  it('takes a model by its path in the bundle, and by none that leaves it', () => {
    const at = (model: string, path: string) =>
      new Map([
        ['bundle.yaml', `name: t\nmodel: ${model}\n`],
        [path, TENANT_MODEL],
      ]);
    assert.equal(bundleFrom(at('my.conf', 'my.conf')).modelName, 'my.conf');
    for (const path of [
      '../models/test.conf',
      '/etc/x.conf',
      'a/../../x.conf',
      '"a\\\\b.conf"',
      'x.txt',
    ]) {
      assert.match(faultsOf(at(path, 'other.conf'))[0] ?? '', /^bundle\.yaml:2:8: /, path);
    }
  });

  it('refuses paths that leave the bundle, and characters that cannot be stored', () => {
    const bad = [
      '../x.csv',
      '/etc/passwd',
      'rules\\a.csv',
      'rules/../../a',
      'C:/x',
      'a//b',
      'a\0b',
      './a',
      '',
    ];
    for (const path of bad) {
      const faults = faultsOf(new Map([...bundleOf(''), [path, '']]));
      assert.equal(faults.length, 1, path);
      assert.match(faults[0] ?? '', /path/, path);
    }
    assert.deepEqual(faultsOf(bundleOf('# one\n# a\0')), [
      'rules/a.csv:2:4: remove the control character `U+0000`',
    ]);
    assert.match(faultsOf(bundleOf('# \ud800'))[0] ?? '', /^rules\/a\.csv:1:3: a lone surrogate/);
  });

  it('refuses more than 64 MiB', () => {
    const text = '# '.padEnd(MAX_BUNDLE_BYTES, 'x');
    assert.match(faultsOf(bundleOf(text))[0] ?? '', /at most 64 MiB/);
  });

  it('refuses governance rules of different files that share an id', () => {
    assert.deepEqual(
      faultsOf(
        bundleOf('', { 'governance/a.yaml': comment('x'), 'governance/b.yml': comment('x') }),
      ),
      ['governance/b.yml:2:1: the id `x` is taken by governance/a.yaml:2; give each rule its own'],
    );
  });

  it('refuses a shared id of rules that are at fault besides', () => {
    const faulty = 'rules:\n  - id: x\n    kind: require-comment\n    comment: 1\n';
    assert.deepEqual(
      faultsOf(bundleOf('', { 'governance/a.yaml': faulty, 'governance/b.yaml': faulty })).map(
        (fault) => fault.split(': ')[0],
      ),
      ['governance/a.yaml:4:14', 'governance/b.yaml:2:1', 'governance/b.yaml:4:14'],
    );
  });

  it('warns of a rule given twice and takes the first', () => {
    const files = bundleOf('g, a, b, acme\ng,  a, "b", acme\n');
    assert.deepEqual(warningsOf(files), [
      'rules/a.csv:2:1: the same rule stands in rules/a.csv:1; remove one of them',
    ]);
    assert.equal(bundleFrom(files).rules.length, 1);
  });

  it('warns of roles that inherit from themselves, within one tenant', () => {
    const circle = 'g, a, b, acme\ng, b, c, acme\ng, c, a, acme\ng, u, a, acme\n';
    assert.deepEqual(warningsOf(bundleOf(circle)), [
      'rules/a.csv:3:1: `c` inherits from itself through `a`; remove one of the lines',
    ]);
    assert.deepEqual(warningsOf(bundleOf('g, a, b, acme\ng, b, a, globex\n')), []);
    assert.equal(warningsOf(bundleOf('g, a, a, acme\n')).length, 1);
  });

  it('warns of files that have no part in a bundle', () => {
    const files = bundleOf('', { 'rules/deep/a.csv': 'p', 'notes.txt': '' });
    assert.deepEqual(
      warningsOf(files).map((warning) => warning.split(':')[0]),
      ['notes.txt', 'rules/deep/a.csv'],
    );
  });

  it('warns of roles that nothing gives, but for those that every tenant or credential may have', () => {
    const approval = (role: string) =>
      `rules:\n  - id: x\n    kind: approval-required\n    match: {roles: [editor, nobody, admin]}\n    approval: {stages: [{approvers: {roles: [${role}]}}]}\n`;
    const warnings = (role: string) =>
      warningsOf(
        bundleOf('g, alice, editor, acme\np, clerk, acme, o, read, allow\n', {
          'governance/a.yaml': approval(role),
        }),
      );
    const rest = 'governance/a.yaml:2:1: no rule of the bundle knows the role `nobody`';
    for (const role of ['approver', 'owner', 'tenant_admin', 'editor', 'clerk']) {
      assert.deepEqual(warnings(role), [rest]);
    }
    assert.deepEqual(warnings('aprover'), [
      'governance/a.yaml:2:1: no rule of the bundle knows the approver role `aprover`',
      rest,
    ]);
  });

  describe('with a model without roles', () => {
    const uses: [title: string, governance: string][] = [
      ['match', comment('x', '    match: {roles: [admin]}\n')],
      ['a condition', comment('x', '    when: \'"admin" in roles\'\n')],
      [
        'by_role',
        'rules:\n  - id: x\n    kind: rate-limit\n    limits: [{per: hour, count: 1}]\n    by_role: {admin: [{per: hour, count: 2}]}\n',
      ],
      [
        'approvers',
        'rules:\n  - id: x\n    kind: approval-required\n    approval: {stages: [{approvers: {roles: [boss]}}]}\n',
      ],
    ];
    for (const [title, text] of uses) {
      it(`refuses a governance rule that uses roles in ${title}`, () => {
        const faults = faultsOf(acl('tenants: [acme]\n', { 'governance/a.yaml': text }));
        assert.equal(faults.length, 1);
        assert.match(faults[0] ?? '', /^governance\/a\.yaml:2:1: `x` uses roles .* has no `g`/);
      });
    }

    it('takes rules that only name properties, and approvers by system role', () => {
      const text = comment('x', '    when: resource.properties.roles == "roles"\n');
      assert.deepEqual(faultsOf(acl('tenants: [acme]\n', { 'governance/a.yaml': text })), []);
      const approval =
        'rules:\n  - id: x\n    kind: approval-required\n    approval: {stages: [{approvers: {roles: [approver]}}]}\n';
      assert.deepEqual(faultsOf(acl('tenants: [acme]\n', { 'governance/a.yaml': approval })), []);
    });
  });

  describe('with a model without `dom`', () => {
    it('needs the tenants that it serves', () => {
      assert.deepEqual(faultsOf(acl('')), [
        'bundle.yaml:2:1: the model has no `dom`; list the tenants that it serves as `tenants`',
      ]);
      assert.deepEqual(faultsOf(acl('tenants: [acme]\n')), []);
    });

    it('needs a word for several tenants that share its rules', () => {
      assert.match(
        faultsOf(acl('tenants: [acme, globex]\n'))[0] ?? '',
        /^bundle\.yaml:3:1: .*shared_rules: true/,
      );
      assert.deepEqual(faultsOf(acl('tenants: [acme, globex]\nshared_rules: true\n')), []);
    });
  });

  it('refuses tenants that no check could name', () => {
    for (const tenant of ['Acme', '-a', 'a b', 'a'.repeat(64)]) {
      assert.match(
        faultsOf(acl(`tenants: ["${tenant}"]\n`))[0] ?? '',
        /^bundle\.yaml:3:11: /,
        tenant,
      );
    }
  });

  it('refuses rules of tenants that are not among those listed', () => {
    const files = (rules: string) =>
      bundleOf(rules, { 'bundle.yaml': 'name: t\nmodel: test\ntenants: [acme]\n' });
    assert.deepEqual(faultsOf(files('g, a, b, globex\n')), [
      'rules/a.csv:1:10: the tenant `globex` is not among the `tenants` of `bundle.yaml`',
    ]);
    assert.deepEqual(faultsOf(files('g, a, b, *\n')), [
      'rules/a.csv:1:10: the tenant `*` is not among the `tenants` of `bundle.yaml`',
    ]);
    assert.deepEqual(faultsOf(files('g, a, b, acme\n')), []);
  });

  it('warns of a matcher under which a rule may decide in another tenant', () => {
    const model = TENANT_MODEL.replace(/^m = .*$/m, '$& || p.sub == "root" && r.sub == "root"');
    assert.match(
      warningsOf(bundleOf('', { 'models/test.conf': model })).join('\n'),
      /^models\/test\.conf:10:5: the matcher can match without .* may decide in another$/,
    );
  });

  it('takes a million lines of rules without growing slower', () => {
    const lines = (count: number) =>
      Array.from({ length: count }, (_, n) => `g, user${n}, role${n % 100}, acme`).join('\n');
    const timed = (text: string) => {
      const before = performance.now();
      assert.deepEqual(faultsOf(bundleOf(text)), []);
      return performance.now() - before;
    };
    timed(lines(2_000));
    const [few, many] = [timed(lines(5_000)), timed(lines(40_000))];
    assert.ok(many < few * 8 * 5 + 200, `${few} ms, then ${many} ms`);
  });

  it('sorts faults by line and column as numbers', () => {
    const fault = (file: string, line: number, column: number) => ({
      file,
      line,
      column,
      message: '',
    });
    const sorted = [fault('a', 2, 9), fault('a', 2, 10), fault('a', 10, 1), fault('b', 1, 1)];
    assert.deepEqual(inOrder(sorted.toReversed()), sorted);
  });
});

describe('the digest of a bundle', () => {
  it('is another for any change of a path, a text or the model', () => {
    const files = fc.dictionary(fc.string({ maxLength: 3 }), fc.string({ maxLength: 3 }), {
      maxKeys: 3,
    });
    fc.assert(
      fc.property(files, files, fc.string({ maxLength: 3 }), (a, b, model) => {
        const same =
          JSON.stringify(Object.entries(a).sort()) === JSON.stringify(Object.entries(b).sort());
        const digest = (object: object) =>
          digestOf(new Map(Object.entries(object)), model).toString('hex');
        assert.equal(digest(a) === digest(b), same);
        assert.notEqual(
          digest(a),
          digestOf(new Map(Object.entries(a)), `${model}x`).toString('hex'),
        );
      }),
    );
  });

  it('takes a large text in pieces, and comes to what the whole would', () => {
    const text = `${'a'.repeat(1024 * 1024 - 1)}${'🙂'.repeat(600_000)}`;
    const parts = [`1\n`, 'a', `${Buffer.byteLength(text)}\n`, text, '1\n', 'm'];
    const expected = createHash('sha256').update(parts.join('')).digest('hex');
    assert.equal(digestOf(new Map([['a', text]]), 'm').toString('hex'), expected);
  });

  it('orders paths by their UTF-8 bytes', () => {
    assert.ok(compareBytes('\uFFFD', '🙂') < 0);
    assert.ok(compareBytes('B', 'a') < 0);
  });
});
