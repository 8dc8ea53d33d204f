import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { EvaluationError } from '@marcbachmann/cel-js';
import { environment } from '../../src/governance/cel-functions.js';
import { survey } from '../../src/governance/cel-references.js';
import { CelVariables } from '../../src/governance/cel-values.js';
import { compileCondition } from '../../src/governance/condition.js';
import type { Condition, ConditionInput } from '../../src/governance/governance-rule.js';
import type { JsonObject, JsonValue } from '../../src/vocabulary.js';

const NOW = Date.parse('2026-03-30T10:11:12.345Z');

function input(context: JsonObject = {}): ConditionInput {
  return {
    check: {
      tenant: 'acme',
      subject: {
        type: 'user',
        id: 'alice',
        properties: { age: 20, dept: 'ops', tz: 'Asia/Tokyo' },
      },
      action: { name: 'deploy', properties: {} },
      resource: {
        type: 'service',
        id: 'billing',
        properties: { environment: 'prod', weight: 1.5, tags: ['a', 'b'], none: null },
      },
      context,
    },
    roles: ['admin', 'ops_rw'],
    now: NOW,
  };
}

function compile(source: string): Condition {
  const compiled = compileCondition(source);
  assert.ok(!('faults' in compiled), JSON.stringify(compiled));
  return compiled;
}

function faultsOf(source: string): string[] {
  const compiled = compileCondition(source);
  assert.ok('faults' in compiled, `\`${source}\` compiles`);
  return compiled.faults.map(({ offset, message }) => `${offset}: ${message}`);
}

function valueOf(source: string, context?: JsonObject): boolean | string {
  const outcome = compile(source).evaluate(input(context));
  return 'failed' in outcome ? outcome.failed : outcome.value;
}

describe('conditions', () => {
  const context = {
    nested: { list: [1, 2, 3], deep: { yes: true } },
    text: 'CHG-12',
    big: 2 ** 60,
  };
  const cases: [source: string, value: boolean][] = [
    ['resource.properties.environment == "prod"', true],
    ['resource["properties"]["environment"] == "prod"', true],
    ['subject.type == "user" && subject.id == "alice" && action.name == "deploy"', true],
    ['tenant == "acme" && "admin" in roles', true],
    ['"nobody" in roles', false],
    ['has(resource.properties.environment)', true],
    ['has(resource.properties.absent)', false],
    ['has(resource.properties.none) && resource.properties.none == null', true],
    ['has(context.nested.deep.yes)', true],
    ['"text" in context', true],
    ['!has(context.absent) || context.absent > 1', true],
    ['context.absent == 1 || true', true],
    ['context.absent == 1 && false', false],
    ['subject.properties.age >= 18', true],
    ['subject.properties.age == 20.0', true],
    ['subject.properties.age > 19.5', true],
    ['subject.properties.age % 2 == 0', true],
    ['resource.properties.weight + 1.0 == 2.5', true],
    ['resource.properties.weight > 1', true],
    ['type(context.big) == double', true],
    ['type(subject.properties.age) == int', true],
    ['double(subject.properties.age) / 8.0 == 2.5', true],
    ['resource.properties.tags == ["a", "b"]', true],
    ['resource.properties.tags[0] == "a"', true],
    ['resource.properties.tags.exists(t, t == "b")', true],
    ['resource.properties.tags.all(t, size(t) == 1)', true],
    ['context.nested.list.filter(n, n > 1).size() == 2', true],
    ['context.nested.list.map(n, n * 2) == [2, 4, 6]', true],
    ['context.nested.list.exists_one(n, n == 3)', true],
    ['context.nested == {"list": [1, 2, 3], "deep": {"yes": true}}', true],
    ['context.text.startsWith("CHG") && context.text.endsWith("12")', true],
    ['context.text.contains("G-1")', true],
    ['context.text.matches("^[A-Z]+-[0-9]+$")', true],
    ['matches(context.text, "G")', true],
    ['context.text.matches("^$")', false],
    ['context.text.lowerAscii() == "chg-12"', true],
    ['"É".lowerAscii() == "É"', true],
    ['context.text.split("-") == ["CHG", "12"]', true],
    ['int(context.text.split("-")[1]) == 12', true],
    ['size("äö😀") == 3', true],
    ['now > timestamp("2026-03-30T10:00:00Z")', true],
    ['now < timestamp("2026-03-30T12:11:13+02:00")', true],
    ['now - duration("1h") < timestamp("2026-03-30T09:30:00Z")', true],
    ['now - timestamp("2026-03-30T10:11:12Z") < duration("0.5s")', true],
    ['duration("90m") == duration("1h30m")', true],
    ['duration("1h30m").getMinutes() == 90', true],
    ['timestamp(0) < now', true],
    ['now.getFullYear() == 2026 && now.getMonth() == 2 && now.getDate() == 30', true],
    ['now.getDayOfMonth() == 29 && now.getDayOfYear() == 88 && now.getDayOfWeek() == 1', true],
    ['now.getHours() == 10 && now.getMinutes() == 11 && now.getSeconds() == 12', true],
    ['now.getMilliseconds() == 345', true],
    ['now.getHours("Europe/Berlin") == 12', true],
    ['now.getHours(subject.properties.tz) == 19', true],
    ['now.getDayOfWeek("Pacific/Kiritimati") == 2', true],
    ['["a", "b"].join("-") == "a-b" && context.text.split("-").join() == "CHG12"', true],
    ['roles.join(",") == "admin,ops_rw" && resource.properties.tags.join() == "ab"', true],
    ['" a ".trim() == "a" && "a".upperAscii() == "A"', true],
    [
      'double("1.5e1") == 15.0 && double(2) == 2.0 && double(2u) == 2.0 && double(2.5) == 2.5',
      true,
    ],
    ['size(context.nested) == 2 && {"a": 1}.size() == 1 && context.nested.list.size() == 3', true],
    ['tenant == "acme" ? true : context.absent', true],
  ];
  for (const [source, value] of cases) {
    it(`reads \`${source}\` as ${value}`, () => {
      assert.equal(valueOf(source, context), value);
    });
  }

  it('fails where a value is absent or of another type, and never guesses', () => {
    for (const source of [
      'context.absent == 1',
      'resource.properties.environment.deeper == 1',
      'resource.properties.environment < 1',
      'resource.properties.weight + 1 > 0.0',
      'subject.properties.age',
      'resource.properties.none',
      'resource.properties.tags[7] == "a"',
      'subject.properties.age / 0 == 1',
      '9223372036854775807 + subject.properties.age > 0',
      'int(subject.properties.dept) == 1',
      'timestamp(subject.properties.dept) < now',
      'now.getHours(subject.properties.dept) == 1',
      'context.absent.exists(x, x == 1)',
      'context.absent == 1 || false',
      'context.absent == 1 && true',
    ]) {
      assert.equal(typeof valueOf(source), 'string', source);
    }
    assert.equal(valueOf('context.absent == 1'), '`absent` is absent');
  });

  it('fails where it asks for a member of what has none', () => {
    for (const a of [1, 1.5, 'x', '', true, null, [], [{ b: 1 }]] as JsonValue[]) {
      const shown = JSON.stringify(a);
      for (const source of [
        'has(context.a.b)',
        '!has(context.a.b)',
        'has(context.a.b.c)',
        'has(context["a"].b)',
        'has(context.a.b) || context.a == 2',
        'context.list.exists(entry, has(entry.b))',
      ]) {
        assert.equal(typeof valueOf(source, { a, list: [a] }), 'string', `${source} of ${shown}`);
      }
      assert.equal(valueOf('has(context.a)', { a }), true, shown);
      assert.equal(valueOf('has(context.a.b) || true', { a }), true, shown);
    }
    for (const a of [{}, { b: null }, { b: 1 }] as JsonObject[]) {
      assert.equal(valueOf('has(context.a.b)', { a }), Object.hasOwn(a, 'b'));
      const entry = 'context.list.exists(entry, has(entry.b))';
      assert.equal(valueOf(entry, { list: [a] }), Object.hasOwn(a, 'b'));
    }
    assert.equal(
      typeof valueOf('has(context.absent.b)'),
      'string',
      'what is absent has no members',
    );
    assert.equal(valueOf('has(subject.properties) && has(action.name) && has(resource.id)'), true);
    assert.equal(valueOf('{"a": has(context.x)}.a ? false : true', {}), true);
  });

  it('takes `has` of members alone, at its place', () => {
    assert.deepEqual(faultsOf('true && has(context)'), [
      '8: `has` takes one member, such as `has(context.ticket)`',
    ]);
    for (const source of ['has()', 'has(context["a"])', 'has(context.a, context.b)', 'has(1)']) {
      assert.match(faultsOf(`true && ${source}`)[0] ?? '', /^\d+: ./, source);
    }
    assert.match(faultsOf('true && has(tenant.x)')[0] ?? '', /^8: .*`has\(string, string\)`/);
    assert.match(faultsOf('has(subject.nope)')[0] ?? '', /^4: unknown member of subject `nope`/);
    assert.match(faultsOf('roles.has(tenant)')[0] ?? '', /./);
    assert.match(faultsOf('x_has(context, "a")')[0] ?? '', /^0: unknown function `x_has`/);
  });

  it('sees own members alone', () => {
    for (const member of [
      'constructor',
      'toString',
      '__proto__',
      'hasOwnProperty',
      'size',
      'length',
    ]) {
      assert.equal(valueOf(`has(context.${member})`), false, member);
      assert.equal(typeof valueOf(`context["${member}"] == 1`), 'string', member);
      assert.equal(valueOf(`context.${member} == 1`, JSON.parse(`{"${member}": 1}`)), true, member);
    }
  });

  it('tells faults of syntax, names and types when it is compiled, with their place', () => {
    assert.deepEqual(faultsOf('tenant =='), ['9: unexpected token: EOF']);
    assert.match(
      faultsOf('tenat == "a"')[0] ?? '',
      /^0: unknown variable `tenat`, did you mean `tenant`\?/,
    );
    assert.match(faultsOf('subject.name == "a"')[0] ?? '', /^0: unknown member of subject `name`/);
    assert.match(faultsOf('true && tenant == 1')[0] ?? '', /^8: no such overload: string == int/);
    assert.match(
      faultsOf('tenant')[0] ?? '',
      /expected a condition, true or false; this gives `string`/,
    );
    assert.match(faultsOf('tenant.substring(1) == "a"')[0] ?? '', /unknown function `substring`/);
    assert.match(faultsOf('tenant + 1 == "a"')[0] ?? '', /no such overload/);
    assert.match(faultsOf('cel.bind(a, 1, a == 1)')[0] ?? '', /unknown/);
    assert.match(faultsOf('roles.x_split(",")')[0] ?? '', /unknown function/);
    assert.match(faultsOf('')[0] ?? '', /./);
  });

  it('tells literals that no check could make work', () => {
    assert.match(
      faultsOf('tenant.matches("(")')[0] ?? '',
      /^15: `\(` is no RE2 regular expression/,
    );
    assert.match(faultsOf('tenant.matches("(?=a)")')[0] ?? '', /is no RE2 regular expression/);
    assert.match(
      faultsOf('tenant.matches(context.x)')[0] ?? '',
      /expected the pattern of `matches` as a literal/,
    );
    assert.match(faultsOf('now < timestamp("2026-02-30T00:00:00Z")')[0] ?? '', /is no timestamp/);
    assert.match(faultsOf('now < timestamp("30 March 2026 10:00")')[0] ?? '', /is no timestamp/);
    assert.match(faultsOf('now - duration("1 hour") < now')[0] ?? '', /is no duration/);
    assert.match(
      faultsOf('now.getHours("Europe/Berln") == 1')[0] ?? '',
      /did you mean `Europe\/Berlin`/,
    );
  });

  it('knows which members it names', () => {
    const none = { context: [], subject: [], action: [], resource: [] };
    const named: [source: string, references: object][] = [
      ['tenant == "a" && subject.id == "b" && action.name == "c"', {}],
      ['context.b == 1 && context["a"] == context.b', { context: ['a', 'b'] }],
      ['has(context.a) && has(context.b.c)', { context: ['a', 'b'] }],
      ['context[tenant] == 1', { context: '*' }],
      ['"a" in context', { context: '*' }],
      ['size(context) == 1 && context.a == 1', { context: '*' }],
      ['context.all(k, k == "a")', { context: '*' }],
      [
        'subject.properties.a.b == resource["properties"]["c"]',
        { subject: ['a'], resource: ['c'] },
      ],
      ['action.properties == {}', { action: '*' }],
      ['resource.properties[tenant] == 1', { resource: '*' }],
      ['roles.exists(context, context == "a")', {}],
      ['roles.exists(r, r == context.a)', { context: ['a'] }],
      ['context.a.exists(x, x.properties.b == 1)', { context: ['a'] }],
      ['context.a.exists(context, context == 1)', { context: ['a'] }],
      ['context.properties.x == 1', { context: ['properties'] }],
      [
        'tenant == "a" ? context.a == 1 : [context.b] == [{"k": context.c}]',
        { context: ['a', 'b', 'c'] },
      ],
      ['-context.a < 1 && !context.b', { context: ['a', 'b'] }],
    ];
    for (const [source, references] of named) {
      assert.deepEqual(compile(source).references, { ...none, ...references }, source);
    }
  });

  it('bounds what an expression may cost', () => {
    assert.match(faultsOf(`tenant == "${'a'.repeat(2_000)}"`)[0] ?? '', /at most 2000 are taken/);
    assert.equal(faultsOf(`${'('.repeat(60)}true${')'.repeat(60)}`).length, 1);
    const nested = 'roles.all(a, roles.all(b, roles.all(c, roles.all(d, a == b && c == d))))';
    assert.match(faultsOf(nested)[0] ?? '', /macros lie over 3 deep/);
    const long = Array.from({ length: 20_000 }, (_, i) => i);
    const start = performance.now();
    assert.equal(
      valueOf('context.l.exists(a, context.l.exists(b, a + b == -1))', { l: long }),
      'the lists are too long to go through',
    );
    assert.equal(
      valueOf('context.l.all(a, a in context.l)', { l: long }),
      'the lists are too long to go through',
    );
    assert.equal(valueOf('context.l.all(a, a >= 0)', { l: long }), true);
    assert.equal(
      valueOf('context.l.exists(a, a == context.x)', { l: long, x: 5 }),
      'the lists are too long to go through',
    );
    const texts = { l: long.slice(0, 900).map(String), t: '1'.repeat(500_000) };
    for (const body of [
      'context.t.contains(x)',
      'context.t.startsWith(x)',
      'size(context.t) == 1',
      'context.t.trim() == x',
      'double(context.t) == 1.0',
      '[context.t, x].join("") == x',
    ]) {
      assert.equal(
        valueOf(`context.l.all(x, !(${body}) || true)`, texts),
        true,
        'an error beside true is true',
      );
      assert.equal(typeof valueOf(`context.l.map(x, ${body}) == []`, texts), 'string', body);
    }
    assert.equal(
      typeof valueOf('context.t.matches("(a+)+b")', { t: 'a'.repeat(900_000) }),
      'boolean',
    );
    assert.equal(typeof valueOf('context.t.matches("a")', { t: 'a'.repeat(1_100_000) }), 'string');
    assert.equal(
      typeof valueOf('duration(context.t) > duration("1s")', { t: '1'.repeat(500_000) }),
      'string',
    );
    assert.ok(performance.now() - start < 5_000);
  });

  it('shares what it converts between the rules of a check, and never between checks', () => {
    const condition = compile('context.a == 1');
    const first = input({ a: 1 });
    assert.deepEqual(condition.evaluate(first), { value: true });
    assert.deepEqual(condition.evaluate(first), { value: true });
    assert.deepEqual(condition.evaluate(input({ a: 2 })), { value: false });
  });

  it('leaves the stacks of errors elsewhere alone', () => {
    const before = Error.stackTraceLimit;
    assert.ok(before > 0, 'this test sees stacks');
    for (const source of ['context.absent == 1', 'true']) compile(source).evaluate(input());
    assert.equal(Error.stackTraceLimit, before);
  });

  it('never throws, whatever a check holds', () => {
    const json = fc.jsonValue() as fc.Arbitrary<JsonValue>;
    const sources = [
      'context.a == context.b',
      'context.a < context.b',
      'context.a + context.b == context.c',
      'context.a in context.b',
      'context.a[context.b] == 1',
      'context.a.b.c == 1',
      'context.a.exists(x, x == context.b)',
      'context.a.startsWith("x")',
      'size(context.a) > 1',
      'string(context.a) == "1"',
      'timestamp(context.a) < now',
      'has(context.a.b)',
      'context.a && context.b',
      'context.a ? true : false',
    ].map(compile);
    fc.assert(
      fc.property(fc.constantFrom(...sources), json, json, (condition, a, b) => {
        const outcome = condition.evaluate(input({ a, b, c: a }));
        assert.ok('failed' in outcome ? outcome.failed !== '' : typeof outcome.value === 'boolean');
      }),
      { numRuns: 1_500 },
    );
  });

  describe('convert no more of a check than they name', () => {
    const WHOLE = { context: '*', subject: '*', action: '*', resource: '*' } as const;

    /** The expression over everything that the check holds. */
    function valueOverAll(source: string, asked: ConditionInput): boolean | string {
      const program = environment.parse(source);
      survey(program.ast);
      program.check();
      try {
        const value: unknown = program(new CelVariables(asked, WHOLE));
        return typeof value === 'boolean' ? value : 'neither';
      } catch (error) {
        return error instanceof EvaluationError ? error.summary : 'another error';
      }
    }

    const member = fc.constantFrom('a', 'b', 'c', '__proto__', 'constructor');
    const path = fc
      .tuple(
        fc.constantFrom('context', 'subject.properties', 'resource.properties'),
        fc.array(
          fc.oneof(
            member.map((name) => `.${name}`),
            member.map((name) => `["${name}"]`),
          ),
          { maxLength: 2 },
        ),
      )
      .map(([root, steps]) => root + steps.join(''));
    const operand = fc.oneof(
      { weight: 3, arbitrary: path },
      fc.constantFrom('1', '2.5', '"a"', '["a", 1]', '{"a": 1}', 'null', 'true', 'now', 'roles'),
      fc.constantFrom('timestamp("2026-03-30T10:00:00Z")', 'size(context)', 'type(context.a)'),
    );
    const { expression } = fc.letrec<{ expression: string }>((tie) => ({
      expression: fc.oneof(
        { maxDepth: 3 },
        fc
          .tuple(operand, fc.constantFrom('==', '!=', '<', '>=', 'in'), operand)
          .map((parts) => parts.join(' ')),
        path.map((named) => `has(${named}.a)`),
        fc
          .tuple(path, fc.constantFrom('exists', 'all', 'exists_one'), operand)
          .map(([list, macro, other]) => `${list}.${macro}(x, x == ${other})`),
        fc
          .tuple(tie('expression'), fc.constantFrom('&&', '||'), tie('expression'))
          .map(([left, operator, right]) => `(${left}) ${operator} !(${right})`),
      ),
    }));
    const { value } = fc.letrec<{ value: JsonValue }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 3 },
        fc.constantFrom<JsonValue>(1, 2, 2.5, 2 ** 60, -0, 'a', 'b', true, null),
        fc.array(tie('value'), { maxLength: 3 }),
        members(tie('value')),
      ),
    }));

    function members(arbitrary: fc.Arbitrary<JsonValue>): fc.Arbitrary<JsonObject> {
      const entries = fc.uniqueArray(fc.tuple(member, arbitrary), {
        selector: ([name]) => name,
        maxLength: 3,
      });
      // As JSON has it: `__proto__` is a member like any other.
      return entries.map((given) => {
        const written = given.map(
          ([name, held]) => `${JSON.stringify(name)}: ${JSON.stringify(held)}`,
        );
        return JSON.parse(`{${written.join(', ')}}`) as JsonObject;
      });
    }

    it('and find what they would find over all of it, whatever was asked about the check before', () => {
      const asked = fc.record({
        context: members(value),
        subject: members(value),
        resource: members(value),
      });
      let compiled = 0;
      fc.assert(
        fc.property(fc.array(expression, { minLength: 1, maxLength: 4 }), asked, (sources, of) => {
          const { check, ...rest } = input(of.context);
          const question: ConditionInput = {
            ...rest,
            check: {
              ...check,
              subject: { ...check.subject, properties: of.subject },
              resource: { ...check.resource, properties: of.resource },
            },
          };
          for (const source of sources) {
            const condition = compileCondition(source);
            if ('faults' in condition) continue;
            compiled += 1;
            const outcome = condition.evaluate(question);
            const expected = valueOverAll(source, question);
            if ('value' in outcome) assert.equal(outcome.value, expected, source);
            else assert.equal(typeof expected, 'string', `${source}: ${outcome.failed}`);
          }
        }),
        { numRuns: 1_500 },
      );
      assert.ok(compiled > 1_000, `only ${compiled} expressions compile`);
    });
  });
});
