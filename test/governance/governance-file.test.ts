import assert from 'node:assert/strict';
import {
  compileGovernanceFile,
  compilingGovernanceFile,
} from '../../src/governance/governance-file.js';
import type { GovernanceRule } from '../../src/governance/governance-rule.js';

const FILE = 'governance/rules.yaml';

function rulesOf(text: string): GovernanceRule[] {
  const { rules, faults } = compileGovernanceFile(FILE, text);
  assert.deepEqual(faults, []);
  return rules;
}

function faultsOf(text: string): string[] {
  return compileGovernanceFile(FILE, text).faults.map((fault) => {
    assert.equal(fault.file, FILE);
    return `${fault.line}:${fault.column}: ${fault.message}`;
  });
}

/** The faults of one rule, whose lines follow `rules:`. */
const faultsOfRule = (...lines: string[]) =>
  faultsOf(`rules:\n  - ${lines.join('\n    ')}\n`).map((fault) => fault.replace(/^\d+:\d+: /, ''));

describe('governance files', () => {
  it('compiles all that an approval-required rule can say', () => {
    const [rule] = rulesOf(`
rules:
  - id: prod-deploy-approval
    description: A second pair of eyes.
    kind: approval-required
    match: {tenants: [acme], subjects: "user:*", roles: [ops_rw], actions: [deploy, "db:*"]}
    when: resource.properties.environment == "prod"
    approval:
      risk: high
      stages: [{approvers: {roles: [approver], users: [bob]}, count: 2}]
      expires_after: 90m
      escalate: {after: 15m, to: {users: [carol]}}
      grant: {mode: window, duration: 2h}
`);
    assert.ok(rule?.kind === 'approval-required');
    assert.deepEqual(rule.match, {
      tenants: ['acme'],
      subjects: ['user:*'],
      roles: ['ops_rw'],
      actions: ['deploy', 'db:*'],
    });
    assert.deepEqual(rule.when?.references.resource, ['environment']);
    assert.deepEqual(rule.source, { file: FILE, line: 3 });
    assert.deepEqual(rule.approval, {
      risk: 'high',
      stages: [{ approvers: { roles: ['approver'], users: ['bob'] }, count: 2 }],
      expiresAfter: 5_400_000,
      escalate: { after: 900_000, to: { roles: [], users: ['carol'] } },
      grant: { mode: 'window', duration: 7_200_000 },
    });
  });

  it('fills in what is left out', () => {
    const [rule] = rulesOf(`
rules:
  - id: a
    kind: approval-required
    approval: {stages: [{approvers: {roles: [approver]}}]}
`);
    assert.ok(rule?.kind === 'approval-required');
    assert.deepEqual(rule.match, {});
    assert.equal(rule.when, undefined);
    assert.deepEqual(rule.approval, {
      risk: 'medium',
      stages: [{ approvers: { roles: ['approver'], users: [] }, count: 1 }],
      expiresAfter: 86_400_000,
      grant: { mode: 'once', duration: 86_400_000 },
    });
  });

  it('compiles windows, comments and limits', () => {
    const [windows, comment, limit] = rulesOf(`
rules:
  - id: hours
    kind: time-window
    windows: [{days: [sat-mon, wed], from: "22:00", to: "24:00", timezone: Europe/Berlin}]
  - id: comment
    kind: require-comment
    comment: {min_length: 10, pattern: "CHG-[0-9]+"}
  - id: quota
    kind: rate-limit
    limits: [{per: hour, count: 100}, {per: day, count: 500}]
    by_role: {admin: [{per: hour, count: 1000}]}
    key: tenant
`);
    assert.ok(windows?.kind === 'time-window');
    assert.deepEqual(windows.windows, [
      { days: [1, 3, 6, 7], from: 1_320, to: 1_440, timeZone: 'Europe/Berlin' },
    ]);
    assert.ok(comment?.kind === 'require-comment');
    assert.equal(comment.comment.minLength, 10);
    assert.equal(comment.comment.pattern?.matches('see CHG-1'), true);
    assert.ok(limit?.kind === 'rate-limit');
    assert.deepEqual(limit.rate, {
      limits: [
        { per: 'hour', count: 100 },
        { per: 'day', count: 500 },
      ],
      byRole: { admin: [{ per: 'hour', count: 1_000 }] },
      key: 'tenant',
    });
  });

  it('gives a rule the same digest however it is laid out, and another when it says something else', () => {
    const digest = (text: string) => rulesOf(text)[0]?.digest;
    const plain = digest('rules: [{id: a, kind: require-comment, comment: {min_length: 3}}]');
    assert.match(plain ?? '', /^[0-9a-f]{64}$/);
    const laidOut =
      'rules:\n  # why\n  - comment: {"min_length": 3}\n    kind: "require-comment"\n    id: a\n';
    assert.equal(digest(laidOut), plain);
    assert.notEqual(
      digest('rules: [{id: a, kind: require-comment, comment: {min_length: 4}}]'),
      plain,
    );
  });

  it('tells all faults of a file at once, sorted by place', () => {
    const text = `rules:
  - id: a
    kind: approval-reqired
    when: resource.propertis.x == 1
  - id: b
    kind: time-window
    match: {action: [x]}
    when: context.a ==
    windows: [{days: [foo], from: "25:00", to: "24:00", timezone: UTC}]
  - id: b
    kind: time-window
    windows: [{days: [mon], from: "09:00", to: "09:00", timezone: Europe/Berln}]
  - 5
`;
    assert.deepEqual(faultsOf(text), [
      '3:11: unknown value `approval-reqired`, did you mean `approval-required`?',
      '4:11: unknown member of resource `propertis`, did you mean `properties`?',
      '7:13: unknown member `action`, did you mean `actions`?',
      '8:23: unexpected token: EOF',
      '9:23: expected a day such as `mon`, or a range such as `mon-fri`, found `foo`',
      '9:35: expected a time from `00:00` to `23:59`, found `25:00`',
      '10:9: the id `b` is given twice, first in line 5; rename one',
      '12:48: the window is never open; for the whole day write `from: "00:00"`, `to: "24:00"`',
      '12:67: unknown time zone `Europe/Berln`, did you mean `Europe/Berlin`?',
      '13:5: expected a mapping, found `5`',
    ]);
  });

  it('points into an expression of several lines', () => {
    const text =
      'rules:\n  - id: a\n    kind: require-comment\n    comment: {}\n    when: |\n      true &&\n      nope == 1\n';
    assert.match(faultsOf(text)[0] ?? '', /^7:7: unknown variable `nope`/);
  });

  it('takes a rule with another description for the same, as its grants are to hold', () => {
    const digest = (description: string) =>
      rulesOf(`rules: [{id: a, kind: require-comment, ${description}comment: {min_length: 3}}]`)[0]
        ?.digest;
    const plain = digest('');
    assert.equal(digest('description: Why., '), plain);
    assert.equal(digest('description: Why not., '), plain);
    assert.notEqual(digest('when: "true", '), plain);
  });

  it('goes on with the rest of a rule that breaks its schema', () => {
    const text = `rules:
  - kind: time-window
    description: 1
    match: {action: [x], resources: [document]}
    when: nope
    windows: [{days: [mon], from: "09:00", to: "10:00", timezone: Europe/Berln}]
`;
    assert.deepEqual(
      faultsOf(text).map((fault) => fault.split(': ')[0]),
      ['2:5', '3:18', '4:13', '4:38', '5:11', '6:67'],
    );
  });

  it('tells the faults of YAML with all others', () => {
    assert.deepEqual(faultsOf('rules: []\nrules: []'), ['2:1: the key `rules` is given twice']);
    assert.deepEqual(faultsOf('rules: [*x, 1]\nroles: []\nrules: []'), [
      '1:9: write the value out; aliases are not taken',
      '1:13: expected a mapping, found `1`',
      '2:1: unknown member `roles`, did you mean `rules`?',
      '3:1: the key `rules` is given twice',
    ]);
    assert.deepEqual(faultsOf(''), ['1:1: expected a mapping, found nothing']);
    assert.deepEqual(faultsOf('{}'), ['1:1: the member `rules` is missing']);
    assert.deepEqual(faultsOf('rules: []'), []);
  });

  it('tells lone surrogates that are written as escapes, wherever they are', () => {
    const alone = ['remove the control character `U+D800`'];
    const rule = (...lines: string[]) =>
      faultsOfRule('id: a', 'kind: require-comment', 'comment: {min_length: 1}', ...lines);
    assert.deepEqual(rule('match: {resources: ["service:\\ud800"]}'), alone);
    assert.deepEqual(rule(`when: "action.name == '\\ud800'"`), alone);
    assert.deepEqual(rule('description: "\\ud800"'), alone);
  });

  it('takes every pattern of resources that can fit', () => {
    const match = 'match: {resources: ["document:1", "document:*", "*", "doc*", ":"]}';
    rulesOf(`rules: [{id: a, kind: require-comment, comment: {}, ${match}}]`);
    rulesOf('rules: [{id: a, kind: require-comment, comment: {}, match: {resources: "*"}}]');
  });

  it('tells thousands of faults in a moment', () => {
    const bad =
      '  - {id: 1, kind: require-comment, match: {tenants: [X], actions: {}}, comment: {x: 1}}\n';
    const start = performance.now();
    assert.equal(faultsOf(`rules:\n${bad.repeat(5_000)}`).length, 20_000);
    assert.ok(performance.now() - start < 15_000);
  });

  const refused: [what: string, lines: string[], message: RegExp][] = [
    ['no id', ['kind: require-comment', 'comment: {}'], /the member `id` is missing/],
    [
      'an empty id',
      ['id: ""', 'kind: require-comment', 'comment: {}'],
      /expected 1 to 512 characters/,
    ],
    [
      'an id with a tab',
      ['id: "a\\tb"', 'kind: require-comment', 'comment: {}'],
      /control characters/,
    ],
    [
      'an id that is a number',
      ['id: 1', 'kind: require-comment', 'comment: {}'],
      /expected a string, found `1`/,
    ],
    ['no kind', ['id: a'], /the member `kind` is missing; expected one of `time-window`/],
    ['no member of its kind', ['id: a', 'kind: rate-limit'], /the member `limits` is missing/],
    [
      'the member of another kind',
      ['id: a', 'kind: require-comment', 'comment: {}', 'limits: []'],
      /unknown member `limits`/,
    ],
    [
      'a tenant that cannot be',
      ['id: a', 'kind: require-comment', 'comment: {}', 'match: {tenants: [ACME]}'],
      /expected a tenant such as `acme`/,
    ],
    [
      'an empty list',
      ['id: a', 'kind: require-comment', 'comment: {}', 'match: {actions: []}'],
      /expected at least one entry/,
    ],
    [
      'a resource that no check can name',
      ['id: a', 'kind: require-comment', 'comment: {}', 'match: {resources: [nocolon]}'],
      /expected a resource as `type:id`, or `type:\*` for every one of that type, found `nocolon`/,
    ],
    [
      'one such resource outside a list',
      ['id: a', 'kind: require-comment', 'comment: {}', 'match: {resources: nocolon}'],
      /expected a resource as `type:id`/,
    ],
    [
      'an empty resource',
      ['id: a', 'kind: require-comment', 'comment: {}', 'match: {resources: [""]}'],
      /expected 1 to 512 characters/,
    ],
    [
      'a comment of length 0',
      ['id: a', 'kind: require-comment', 'comment: {min_length: 0}'],
      /expected at least `1`, found `0`/,
    ],
    [
      'a bad pattern',
      ['id: a', 'kind: require-comment', 'comment: {pattern: "(a"}'],
      /is no RE2 regular expression/,
    ],
    [
      'a pattern that backtracks',
      ['id: a', 'kind: require-comment', 'comment: {pattern: "(a)\\\\1"}'],
      /is no RE2 regular expression/,
    ],
    [
      'no days',
      [
        'id: a',
        'kind: time-window',
        'windows: [{days: [], from: "09:00", to: "10:00", timezone: UTC}]',
      ],
      /expected at least one entry/,
    ],
    ['no windows', ['id: a', 'kind: time-window', 'windows: []'], /expected at least one entry/],
    [
      'a zone that is a timestamp',
      [
        'id: a',
        'kind: time-window',
        'windows: [{days: [mon], from: "09:00", to: "10:00", timezone: "2020-01-01T00:00Z"}]',
      ],
      /unknown time zone/,
    ],
    [
      '`from` at 24:00',
      [
        'id: a',
        'kind: time-window',
        'windows: [{days: [mon], from: "24:00", to: "10:00", timezone: UTC}]',
      ],
      /expected a time from `00:00` to `23:59`/,
    ],
    [
      'half a count',
      ['id: a', 'kind: rate-limit', 'limits: [{per: hour, count: 1.5}]'],
      /expected a whole number/,
    ],
    [
      'a count of 0',
      ['id: a', 'kind: rate-limit', 'limits: [{per: hour, count: 0}]'],
      /expected at least `1`/,
    ],
    [
      'an unknown period',
      ['id: a', 'kind: rate-limit', 'limits: [{per: week, count: 1}]'],
      /expected one of `second`, `minute`, `hour`, `day`, found `week`/,
    ],
    [
      'a period twice',
      ['id: a', 'kind: rate-limit', 'limits: [{per: day, count: 1}, {per: day, count: 2}]'],
      /`day` is given twice/,
    ],
    [
      'a role limit that replaces nothing',
      [
        'id: a',
        'kind: rate-limit',
        'limits: [{per: day, count: 1}]',
        'by_role: {"a/b": [{per: hour, count: 2}]}',
      ],
      /there is no limit per `hour` to replace/,
    ],
    [
      'an unknown key',
      ['id: a', 'kind: rate-limit', 'limits: [{per: day, count: 1}]', 'key: action'],
      /expected one of `subject`, `tenant`, `resource`/,
    ],
    [
      'no stages',
      ['id: a', 'kind: approval-required', 'approval: {stages: []}'],
      /expected at least one entry/,
    ],
    [
      'no approvers',
      ['id: a', 'kind: approval-required', 'approval: {stages: [{approvers: {}}]}'],
      /expected at least one entry/,
    ],
    [
      'a bad duration',
      [
        'id: a',
        'kind: approval-required',
        'approval: {stages: [{approvers: {roles: [x]}}], expires_after: 5 minutes}',
      ],
      /expected a duration such as `90s`/,
    ],
    [
      'a duration of 0',
      [
        'id: a',
        'kind: approval-required',
        'approval: {stages: [{approvers: {roles: [x]}}], expires_after: 0s}',
      ],
      /expected a duration/,
    ],
    [
      'a duration of a lifetime',
      [
        'id: a',
        'kind: approval-required',
        'approval: {stages: [{approvers: {roles: [x]}}], expires_after: 4000d}',
      ],
      /take at most `3650d`/,
    ],
    [
      'an unknown grant mode',
      [
        'id: a',
        'kind: approval-required',
        'approval: {stages: [{approvers: {roles: [x]}}], grant: {mode: twice}}',
      ],
      /expected one of `once`, `window`/,
    ],
    [
      'more people than are named',
      [
        'id: a',
        'kind: approval-required',
        'approval: {stages: [{approvers: {users: [x]}, count: 2}]}',
      ],
      /`2` people are more than the users named/,
    ],
    [
      'more people than are named in all stages',
      [
        'id: a',
        'kind: approval-required',
        'approval: {stages: [{approvers: {users: [x]}}, {approvers: {users: [x]}}]}',
      ],
      /people are more than the users named so far/,
    ],
    [
      'an escalation after the end',
      [
        'id: a',
        'kind: approval-required',
        'approval: {stages: [{approvers: {roles: [x]}}], escalate: {after: 24h, to: {roles: [y]}}}',
      ],
      /the request has expired by then/,
    ],
    [
      'a condition that is no text',
      ['id: a', 'kind: require-comment', 'comment: {}', 'when: true'],
      /expected a string, found `true`/,
    ],
  ];
  for (const [what, lines, message] of refused) {
    it(`refuses ${what}`, () => {
      const faults = faultsOfRule(...lines);
      assert.equal(faults.length, 1, faults.join('\n'));
      assert.match(faults[0] ?? '', message);
    });
  }

  it('tells unknown zones, windows that never open and bad patterns beside what breaks the schema', () => {
    const text = `rules:
  - id: hours
    kind: time-window
    windows:
      - {days: [mon], from: "25:00", to: "26:00", timezone: Mars/Olympus}
      - {days: [tue], from: "09:00", to: "09:00", timezone: Europe/Nowhere}
  - id: reason
    kind: require-comment
    comment: {min_length: 0, pattern: "("}
`;
    const places = compileGovernanceFile('g.yaml', text).faults.map(({ line, column }) => [
      line,
      column,
    ]);
    assert.deepEqual(places, [
      [5, 29],
      [5, 42],
      [5, 61],
      [6, 42],
      [6, 61],
      [9, 27],
      [9, 39],
    ]);
  });

  it('is compiled in many short steps, and comes to the same', () => {
    const rule = (at: number) =>
      `  - {id: r${at}, kind: require-comment, match: {actions: [a${at}]}, comment: {min_length: 1}}\n`;
    const text = `rules:\n${Array.from({ length: 50 }, (_, at) => rule(at)).join('')}`;
    const work = compilingGovernanceFile(FILE, text);
    let steps = 0;
    let step = work.next();
    for (; step.done !== true; step = work.next()) steps += 1;
    const { rules, ids, faults } = step.value;
    assert.deepEqual([rules.length, ids.length, faults], [50, 50, []]);
    // Reading it, its shape, its ids and its rules, each in a step a rule.
    assert.ok(steps >= 4 * 50, `it paused ${steps} times`);
  });
});
