import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { parseYaml, type YamlDocument, type YamlFault } from '../../src/platform/yaml.js';

function read(text: string): YamlDocument {
  const { document, faults } = parseYaml(text);
  assert.deepEqual(faults, []);
  assert.ok(document, 'a document is made');
  return document;
}

function faultsOf(text: string): string[] {
  return parseYaml(text).faults.map((f: YamlFault) => `${f.line}:${f.column}: ${f.message}`);
}

describe('reading YAML', () => {
  it('keeps times, dates and yes as strings', () => {
    const { value } = read(
      'a: 09:00\nb: 2026-03-30T10:00:00Z\nc: yes\nd: 1\ne: 1.5\nf: true\ng:\n',
    );
    assert.deepEqual(value, {
      a: '09:00',
      b: '2026-03-30T10:00:00Z',
      c: 'yes',
      d: 1,
      e: 1.5,
      f: true,
      g: null,
    });
  });

  it('knows where each value and each key stands', () => {
    const document = read('rules:\n  - id: "a"\n    match: {actions: [x, y]}\n    empty:\n');
    assert.deepEqual(document.at('/rules/0/id'), { line: 2, column: 9 });
    assert.deepEqual(document.keyAt('/rules/0/id'), { line: 2, column: 5 });
    assert.deepEqual(document.at('/rules/0/match/actions/1'), { line: 3, column: 26 });
    assert.deepEqual(document.at('/rules/0/empty'), { line: 4, column: 5 });
    assert.deepEqual(document.at('/rules/0/absent/deeper'), { line: 2, column: 5 });
  });

  it('counts lines alike for every kind of line end', () => {
    for (const end of ['\n', '\r\n', '\r']) {
      assert.deepEqual(read(`a: 1${end}b: 2${end}c: 3`).at('/c'), { line: 3, column: 4 });
    }
  });

  it('finds a character inside a plain, a quoted and a literal string', () => {
    const document = read('a: one two\nb: "one two"\nc: |\n    one\n    two\n');
    assert.deepEqual(document.within('/a', 4), { line: 1, column: 8 });
    assert.deepEqual(document.within('/b', 4), { line: 2, column: 9 });
    assert.deepEqual(document.within('/c', 5), { line: 5, column: 6 });
  });

  it('escapes pointers for keys with slashes and tildes', () => {
    assert.deepEqual(read('"a/b":\n  "c~d": 1').at('/a~1b/c~0d'), { line: 2, column: 10 });
  });

  it('tells every fault at once', () => {
    const text = [
      'x: &a 1',
      'y: *a',
      '<<: {z: 1}',
      '__proto__: 4',
      '1: 2',
      'a: .nan',
      'a: 3',
      '? [z]',
      ': 4',
      't: !!str 4',
      'c: "\\0"',
    ].join('\n');
    assert.deepEqual(faultsOf(text), [
      '1:4: remove the anchor; aliases are not taken',
      '2:4: write the value out; aliases are not taken',
      '3:1: write the members out; merge keys are not taken',
      '4:1: the key `__proto__` is not taken',
      '5:1: quote the key `1`; keys are strings',
      '6:4: expected a finite number, or quote the value for a string',
      '7:1: the key `a` is given twice',
      '8:3: expected a string as the key',
      '10:4: remove the tag; quote the value for a string',
      '11:4: remove the control character `U+0000`',
    ]);
  });

  it('makes a document beside its faults: the first of two keys, of two documents', () => {
    const { document } = parseYaml(
      'a: 1\na: {b: 2}\nc: *x\n"\u0001d": e\u0002f\n"": 0\n<<: {z: 1}\n__proto__: 4\n? [z]\n: 5\n---\na: 3\n',
    );
    assert.ok(document, 'a document is made');
    assert.deepEqual(document.value, { a: 1, c: null, '\ufffdd': 'e\ufffdf', '': 0 });
    assert.deepEqual(document.at('/a'), { line: 1, column: 4 });
    assert.deepEqual(document.keyAt('/a'), { line: 1, column: 1 });
    assert.deepEqual(document.at('/a/b'), { line: 1, column: 4 });
    assert.deepEqual(document.at('/'), { line: 5, column: 5 });
  });

  it('knows of which values a fault was told', () => {
    const { document } = parseYaml(
      'a: !!str 1\nb: *a\nc: .inf\nd: "\\0"\ne: x\u0007\nf: !x [1, *a]\ng: {<<: {x: 1}, y: 2}\n\u0007h: 1\na: *a\ni: 1',
    );
    const flawed = (pointer: string) => document?.isFlawed(pointer);
    for (const pointer of ['/a', '/b', '/c', '/d', '/e', '/f', '/f/1', '/g']) {
      assert.equal(flawed(pointer), true, pointer);
    }
    for (const pointer of ['', '/f/0', '/g/y', '/h', '/i', '/absent']) {
      assert.equal(flawed(pointer), false, pointer);
    }
  });

  it('tells the first control character of each line, however many there are', () => {
    assert.deepEqual(faultsOf('a: \u0001\u0002\nb: 1\n\u0003c: \u0004'), [
      '1:4: remove the control character `U+0001`',
      '3:1: remove the control character `U+0003`',
    ]);
    const start = performance.now();
    assert.equal(faultsOf('- \u0001\u0002\n'.repeat(50_000)).length, 50_000);
    assert.ok(performance.now() - start < 5_000, 'in a moment');
  });

  it('tells control characters beside broken syntax, and makes no document of it', () => {
    const { document, faults } = parseYaml('a: \u0001\nb: [\u0002');
    assert.equal(document, undefined);
    assert.deepEqual(
      faults.map(({ message }) => message.slice(0, 30)),
      [
        'remove the control character `',
        'remove the control character `',
        faults[2]?.message.slice(0, 30),
      ],
    );
  });

  it('refuses a second document', () => {
    assert.deepEqual(faultsOf('a: 1\n---\nb: 2\n'), [
      '3:1: keep one document in a file; remove the `---`',
    ]);
  });

  it('refuses lone surrogates, written out and escaped', () => {
    assert.deepEqual(faultsOf('a: \ud800'), ['1:4: remove the control character `U+D800`']);
    assert.deepEqual(faultsOf('a: "\\udc00"'), ['1:4: remove the control character `U+DC00`']);
    assert.deepEqual(faultsOf('a: {"\\udc00": 1}'), ['1:5: remove the control character `U+DC00`']);
  });

  it('says where the syntax breaks', () => {
    assert.deepEqual(faultsOf('a: 1\n b: 2'), ['2:3: bad indentation of a mapping entry']);
  });

  it('takes nesting of 32 and refuses 33', () => {
    assert.ok(read('['.repeat(32) + ']'.repeat(32)));
    assert.match(faultsOf('['.repeat(33) + ']'.repeat(33))[0] ?? '', /maxDepth/);
  });

  it('holds nothing for an empty text', () => {
    assert.equal(read('').value, undefined);
    assert.deepEqual(read('# only a comment\n').at(''), { line: 1, column: 1 });
  });

  it('reads all JSON without control characters as JSON.parse does', () => {
    const key = fc.string().filter((k) => k !== '__proto__' && k !== '<<');
    const json = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        fc.constant(null),
        fc.boolean(),
        fc.integer(),
        fc.string(),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(key, tie('value'), { maxKeys: 3, noNullPrototype: true }),
      ),
    })).value;
    fc.assert(
      fc.property(json, (value) => {
        assert.deepEqual(read(JSON.stringify(value)).value, value);
      }),
      { numRuns: 200 },
    );
  });
});
