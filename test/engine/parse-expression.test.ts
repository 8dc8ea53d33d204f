import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { newModel, Util } from 'casbin';
import fc from 'fast-check';
import type { Expression } from '../../src/engine/expression.js';
import { parseExpression } from '../../src/engine/parse-expression.js';
import type { ExpressionPlace } from '../../src/engine/tokenizer.js';

const require = createRequire(createRequire(import.meta.url).resolve('casbin'));
const { parse, addBinaryOp } = require('@casbin/expression-eval') as {
  parse: (text: string) => unknown;
  addBinaryOp: (name: string, precedence: number, run: typeof Util.customIn) => void;
};
addBinaryOp('in', 1, Util.customIn);

/** What node-casbin makes of the text before it evaluates it. */
function parsedByCasbin(text: string, place: ExpressionPlace): unknown {
  if (place === 'rule value') {
    const rule = Util.replaceEval('eval(p_x)', 'p_x', Util.escapeAssertion(text));
    return parse(Util.bracketCompatible(rule));
  }
  const model = newModel();
  model.addDef('m', 'm', text);
  return parse(Util.bracketCompatible(model.model.get('m')!.get('m')!.value));
}

/** Our tree as jsep would have made it. */
function asJsep(node: Expression): unknown {
  switch (node.kind) {
    case 'literal':
      return { type: 'Literal', value: node.value };
    case 'token':
      return node.members.reduce<unknown>(
        (object, name) => ({
          type: 'MemberExpression',
          computed: false,
          object,
          property: { type: 'Identifier', name },
        }),
        { type: 'Identifier', name: `${node.of}_${node.name}` },
      );
    case 'call':
      return {
        type: 'CallExpression',
        arguments: node.args.map(asJsep),
        callee: { type: 'Identifier', name: node.name },
      };
    case 'list':
      return { type: 'ArrayExpression', elements: node.items.map(asJsep) };
    case 'unary':
      return {
        type: 'UnaryExpression',
        operator: node.operator,
        argument: asJsep(node.operand),
        prefix: true,
      };
    case 'binary':
      return {
        type:
          node.operator === '&&' || node.operator === '||'
            ? 'LogicalExpression'
            : 'BinaryExpression',
        operator: node.operator,
        left: asJsep(node.left),
        right: asJsep(node.right),
      };
    case 'conditional':
      return {
        type: 'ConditionalExpression',
        test: asJsep(node.test),
        consequent: asJsep(node.whenTrue),
        alternate: asJsep(node.whenFalse),
      };
  }
}

function withoutRaw(node: unknown): unknown {
  return JSON.parse(JSON.stringify(node, (key, value) => (key === 'raw' ? undefined : value)));
}

/** Text put together from pieces that Casbin's rewriting looks at, most of it nearly right. */
const piece = fc.constantFrom(
  'r.sub',
  'p.obj',
  'r.subject.properties.age',
  ' ',
  ' ',
  '  ',
  '&&',
  ' && ',
  ' || ',
  ' == ',
  '==',
  '!=',
  '<',
  ' in ',
  'in',
  '(',
  ')',
  ' (',
  '[',
  ']',
  ',',
  ', ',
  "'a'",
  '"b"',
  '" r.x"',
  "' p.x'",
  "'a (b, c)'",
  '"a in b"',
  '"a|b"',
  '"$&"',
  "'$'",
  '"\\n"',
  '1',
  '2.5',
  '1e3',
  '.5',
  '-',
  '!',
  '+',
  '?',
  ':',
  ' ? ',
  ' : ',
  'keyMatch(r.obj, p.obj)',
  'g(r.sub, p.sub)',
  'true',
  'null',
  'this',
  'eval(p.x)',
  '.x',
  'r.',
  'p_',
  '=',
  '&',
  '|',
  '#',
  '`',
  '~',
  '%',
  '*',
  '/',
  '\t',
  'r.a.constructor',
  '.null',
  '.this',
  "['x', 'y']",
  " in ('x', 'y')",
  " in ['x', 'y']",
);
const noise = fc.array(piece, { minLength: 1, maxLength: 9 }).map((pieces) => pieces.join(''));

/** Text of well-formed expressions, with blanks here and there. */
const wellFormed = fc.letrec<{ any: string; atom: string }>((tie) => ({
  atom: fc.constantFrom(
    'r.sub',
    'p.obj',
    ' r.resource.properties.owner',
    '1',
    '0.5',
    "'x'",
    '"y z"',
    'true',
    'null',
    'keyMatch(r.obj, p.obj)',
    "['a', 2]",
    '[]',
  ),
  any: fc.oneof(
    { maxDepth: 4 },
    tie('atom'),
    fc
      .tuple(
        tie('any'),
        fc.constantFrom(
          '&&',
          '||',
          '==',
          '!=',
          '<',
          '>=',
          '+',
          '-',
          '*',
          '/',
          '%',
          '===',
          '!==',
          'in',
        ),
        tie('any'),
        fc.boolean(),
      )
      .map(([a, operator, b, spaced]) =>
        spaced || operator === 'in' ? `${a} ${operator} ${b}` : `${a}${operator}${b}`,
      ),
    fc.tuple(fc.constantFrom('!', '-', '+'), tie('atom')).map(([operator, a]) => `${operator}${a}`),
    fc.tuple(tie('any'), fc.constantFrom('(', ' ( ', ' (')).map(([a, open]) => `${open}${a})`),
    fc.tuple(tie('any'), tie('any')).map(([a, b]) => `r.act in (${a}, ${b})`),
    fc.tuple(tie('any'), tie('any'), tie('any')).map(([a, b, c]) => `${a} ? ${b} : ${c}`),
  ),
})).any;

function faultOf(text: string, place: ExpressionPlace = 'matcher'): string {
  const parsed = parseExpression(text, place);
  return 'fault' in parsed ? `${parsed.fault.at}: ${parsed.fault.message}` : 'accepted';
}

describe('the expression parser', () => {
  for (const place of ['matcher', 'rule value'] as const) {
    it(`reads whatever it accepts of a ${place} as node-casbin reads it`, () => {
      let accepted = 0;
      fc.assert(
        fc.property(fc.oneof(noise, wellFormed), (text) => {
          const parsed = parseExpression(text, place);
          if ('fault' in parsed) {
            return;
          }
          accepted += 1;
          assert.deepEqual(
            withoutRaw(asJsep(parsed.expression)),
            withoutRaw(parsedByCasbin(text, place)),
          );
        }),
        { numRuns: 3000 },
      );
      assert.ok(accepted > 700, `only ${accepted} of the texts were accepted`);
    });
  }

  it('accepts what well-formed matchers are made of', () => {
    for (const text of [
      'r.sub == p.sub && r.obj == p.obj || r.sub == "root"',
      'r.sub.Owner == r.obj.Owner && r.sub.Doc in (r.obj.Docs)',
      "(r.act in ('read', 'write')) && r.sub == p.sub",
      'r.subject.properties.age > 18 ? true : false',
      '!(r.a == p.b) && -r.x < +3 * (2 - 1) / 4 % 5',
    ]) {
      assert.equal(faultOf(text), 'accepted', text);
    }
  });

  it('refuses what could run code or reach beyond the request', () => {
    for (const text of [
      'r.sub.constructor',
      'r.sub.__proto__',
      'r.sub.constructor.constructor("return process")()',
      "r.sub['constructor']",
      'r.sub[p.x]',
      "''.constructor",
      '"".sub.constructor("x")',
      '[].constructor',
      'r.sub.toString()',
      'r.sub.a.b("x")',
      'keyMatch.constructor',
      'keyMatch(r.a, p.a).constructor',
      '(r.sub).constructor',
      '(keyMatch)(r.a, p.a)',
      'this',
      'this.constructor',
      'this()',
      'process.exit()',
      'globalThis',
      'r',
      'p',
      'r_sub',
      'r.sub = "admin"',
      'r.sub == "a"; r.obj',
      'r.sub, r.obj',
      'r.sub r.obj',
      'true true',
      '`${r.sub}`',
      'r.sub => 1',
      'new Function("x")',
      'r2.sub == p2.sub',
      'r.sub =~ p.obj',
      'r.sub | p.obj',
      'r.sub ^ p.obj',
      '~r.sub',
      '',
      '()',
      '[,]',
      '[1,]',
      'g(,)',
      'r.sub ==',
      'r. sub',
      'r .sub',
      '\u00a0r.sub',
      'r.sub == "\ud83d',
    ]) {
      assert.notEqual(faultOf(text), 'accepted', text);
      assert.notEqual(faultOf(text, 'rule value'), 'accepted', text);
    }
  });

  it('refuses members that jsep reads as values, which would be looked up as `undefined`', () => {
    for (const word of ['true', 'false', 'null', 'this']) {
      for (const place of ['matcher', 'rule value'] as const) {
        const refusal = `6: the member \`${word}\` cannot be read: Casbin takes the word for a value; send it by another name`;
        assert.equal(faultOf(`r.sub.${word}`, place), refusal);
        assert.equal(faultOf(`r.sub.${word}.x == 1`, place), refusal);
        assert.equal(faultOf(`r.${word} == p.${word}`, place), 'accepted');
        assert.equal(faultOf(`r.sub.${word}s`, place), 'accepted');
      }
    }
  });

  it('says where and what to do', () => {
    assert.equal(faultOf('r.sub = p.sub'), '6: `=` would assign; compare with `==`');
    assert.equal(faultOf('r_sub == p.sub'), '0: write `r.sub` instead of `r_sub`');
    assert.equal(
      faultOf('r.obj in p.x && r.sub == p.sub'),
      '13: Casbin reads `a in b && c` as `a in (b && c)`; put parentheses around the part with `in`',
    );
    assert.equal(
      faultOf('r.obj.startsWith("x")'),
      "16: `r.obj.startsWith(` calls a member; only Casbin's named functions can be called",
    );
    assert.match(
      faultOf('r.obj == "x'),
      /9: the text that starts with `"` has no end; in a model `#` and `;`/,
    );
  });

  it('refuses texts and nesting that are too large, at once', () => {
    assert.match(faultOf(`r.sub == "${'x'.repeat(9000)}"`), /longer than 8192/);
    assert.match(
      faultOf(`${'('.repeat(2000)}r.sub${')'.repeat(2000)}`),
      /nested more than 50 deep/,
    );
    assert.match(faultOf(`r.x in ${'(r.x in '.repeat(1000)}`), /nested more than 50 deep/);
    assert.match(faultOf('!'.repeat(4000)), /nested more than 50 deep/);
    assert.match(faultOf('1+'.repeat(3000)), /more than 500 operators/);
  });
});
