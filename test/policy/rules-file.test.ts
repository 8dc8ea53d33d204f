import assert from 'node:assert/strict';
import fc from 'fast-check';
import { parseRules, printRule } from '../../src/policy/rules-file.js';
import type { RuleLine } from '../../src/vocabulary.js';

const linesOf = (text: string) => parseRules('rules/a.csv', text).rules.map(({ line }) => line);
const faultOf = (text: string) => {
  const [fault] = parseRules('rules/a.csv', text).faults;
  return fault && `${fault.line}:${fault.column}: ${fault.message}`;
};

describe('rules files', () => {
  it('are read as any Casbin editor writes them', () => {
    const text =
      '# who may do what\n\np, editor, acme, document:*, read, allow\r\n  g,alice,editor,acme  \n';
    assert.deepEqual(parseRules('rules/a.csv', text), {
      rules: [
        {
          line: ['p', 'editor', 'acme', 'document:*', 'read', 'allow'],
          source: { file: 'rules/a.csv', line: 3 },
        },
        { line: ['g', 'alice', 'editor', 'acme'], source: { file: 'rules/a.csv', line: 4 } },
      ],
      faults: [],
    });
  });

  it('take quoted values exactly, with blanks, commas, brackets and doubled quotes', () => {
    assert.deepEqual(linesOf('p, " a, b ", "say ""hi"""  , [(x)], "", größe 🙂'), [
      ['p', ' a, b ', 'say "hi"', '[(x)]', '', 'größe 🙂'],
    ]);
  });

  it('keep values that are empty', () => {
    assert.deepEqual(linesOf('p, , a,'), [['p', '', 'a', '']]);
  });

  it('keep a `#` that does not start the line', () => {
    assert.deepEqual(linesOf('p, #1, a # b'), [['p', '#1', 'a # b']]);
  });

  it('keep blanks of other scripts, which Casbin does not trim either', () => {
    assert.deepEqual(linesOf('p, \u00a0a\u3000'), [['p', '\u00a0a\u3000']]);
  });

  it('may start with a byte order mark and end without a newline', () => {
    assert.deepEqual(linesOf('\uFEFFp, a'), [['p', 'a']]);
    assert.deepEqual(linesOf(''), []);
  });

  const faults: [title: string, text: string, fault: string][] = [
    [
      'a quote that is never closed',
      'p, a\np, "b, c',
      '2:4: the quote is never closed; close it on the same line',
    ],
    [
      'text after a closing quote',
      'p, "a" b, c',
      '1:8: text after a closing quote; expected a comma',
    ],
    [
      'a quote within a value',
      'p, a"b"',
      '1:5: a quote within a value; put the whole value in quotes and double those inside',
    ],
    ['a control character', 'p, a\u0007b', '1:5: remove the character `U+0007`'],
    ['a NUL in quotes', 'p, "\0"', '1:4: remove the character `U+0000`'],
    ['a tab within a value', 'p,\ta\tb', '1:5: remove the character `U+0009`'],
    ['half of a surrogate pair', 'p, a\ud800', '1:5: remove the character `U+D800`'],
    ['a lone carriage return', 'p, a\rp, b', '1:5: remove the character `U+000D`'],
    ['no type', ' , a', '1:2: the line has no type; start it with one, such as `p` or `g`'],
  ];
  for (const [title, text, fault] of faults) {
    it(`refuse ${title}`, () => assert.equal(faultOf(text), fault));
  }

  it('tell every fault of a file, and place those of judged rules at their field', () => {
    const text = 'p, "a\np, x,  bad\ng, y';
    const { faults } = parseRules('rules/a.csv', text, (rule) => {
      if (rule[0] === 'g') return { field: 2, message: 'too short' };
      return rule[2] === 'bad' ? { field: 2, message: 'bad value' } : undefined;
    });
    assert.deepEqual(
      faults.map(({ line, column, message }) => `${line}:${column} ${message}`),
      [
        '1:4 the quote is never closed; close it on the same line',
        '2:8 bad value',
        '3:5 too short',
      ],
    );
  });

  it('read back exactly what was printed, whatever the values', () => {
    const value = fc
      .string({ unit: 'binary' })
      // oxlint-disable-next-line no-control-regex
      .map((text) => text.replace(/[\u0000-\u001f\u007f-\u009f]|\p{Surrogate}/gu, ''))
      .map((text) => (text.length % 3 === 0 ? ` ${text}",` : text));
    const rule = fc
      .tuple(fc.constantFrom('p', 'g', 'g2'), fc.array(value, { minLength: 1, maxLength: 6 }))
      .map(([ptype, values]): RuleLine => [ptype, ...values]);
    fc.assert(
      fc.property(fc.array(rule), fc.constantFrom('\n', '\r\n'), (rules, newline) => {
        assert.deepEqual(linesOf(rules.map(printRule).join(newline)), rules);
      }),
    );
  });

  it('are read in time linear to their size', () => {
    const text = 'p, role, acme, "document, 1", read, allow\n'.repeat(50_000);
    const before = performance.now();
    assert.equal(linesOf(text).length, 50_000);
    assert.ok(performance.now() - before < 2_000);
  });
});
