import assert from 'node:assert/strict';
import { Util } from 'casbin';
import fc from 'fast-check';
import { createNamedFunctions } from '../../src/engine/named-functions.js';
import { compileRegex } from '../../src/engine/regex.js';

const functions = createNamedFunctions();
const call = (name: string, ...args: unknown[]): unknown => functions.get(name)!.call(...args);
const faultOf = (name: string, pattern: string): string | undefined =>
  functions.get(name)!.patternFault(pattern);

const STOCK: Readonly<Record<string, (...args: unknown[]) => unknown>> = {
  keyMatch: Util.keyMatchFunc,
  keyMatch2: Util.keyMatch2Func,
  keyMatch3: Util.keyMatch3Func,
  keyMatch4: Util.keyMatch4Func,
  keyMatch5: Util.keyMatch5Func,
  keyGet: Util.keyGetFunc,
  keyGet2: (...args) => Util.keyGet2Func(...args, 'id'),
  regexMatch: Util.regexMatchFunc,
  globMatch: Util.globMatch as (...args: unknown[]) => unknown,
};

const patternPiece = fc.constantFrom(
  '/',
  '/',
  '*',
  '/*',
  ':id',
  '/:id',
  '/:name',
  '{id}',
  '/{id}',
  '/{name}',
  'a',
  'b',
  'ab',
  '.',
  '-',
  '?',
  '(a|b)',
  '[ab]',
  '[^a]',
  '\\d',
  '\\w+',
  '\\s',
  '^',
  '$',
  '|',
  '+',
  '{2}',
  '\\.',
  '\\b',
  '[a-c]',
  '\\x61',
  '\\u0062',
  '(?:b)',
  '[\\s]',
  '[[a]',
  '{',
  '}',
  ']',
  ',',
  '[\\w-]',
  '.*',
  '\\u00e9',
);
const pattern = fc.array(patternPiece, { maxLength: 6 }).map((pieces) => pieces.join(''));
const key = fc
  .array(
    fc.constantFrom(
      '/',
      'a',
      'b',
      'ab',
      '1',
      'é',
      ':id',
      '-',
      '.',
      '?x',
      ' ',
      '\u00a0',
      '\u2028',
      '{',
      '}',
      '*',
      ',',
      '[',
      'aa',
    ),
    { maxLength: 7 },
  )
  .map((pieces) => pieces.join(''));

/** What takes backtracking for ever; every shape of it in the lists of such patterns. */
const CATASTROPHIC = [
  '^(a+)+$',
  '^(a|aa)+$',
  '^(a*)*$',
  '(x+x+)+y',
  '^([a-zA-Z]+)*$',
  '^(.*a){20}$',
  '(a?){30}a{30}',
];

describe("Casbin's named functions", () => {
  for (const [name, stock] of Object.entries(STOCK)) {
    it(`${name} answers as node-casbin's for every pattern that is accepted`, () => {
      let accepted = 0;
      fc.assert(
        fc.property(key, pattern, (text, given) => {
          if (faultOf(name, given) !== undefined) {
            return;
          }
          accepted += 1;
          const args = name === 'keyGet2' ? [text, given, 'id'] : [text, given];
          assert.equal(
            call(name, ...args),
            stock(text, given),
            `${name}(${JSON.stringify([text, given])})`,
          );
        }),
        { numRuns: 2500 },
      );
      assert.ok(accepted > 300, `only ${accepted} of the patterns were accepted`);
    });
  }

  it('refuse the patterns for which node-casbin would not come to an end', () => {
    assert.match(
      faultOf('keyMatch2', '/x/:')!,
      /`\/:` in `\/x\/:` starts no placeholder; write `\/:name`/,
    );
    assert.match(faultOf('keyGet2', '/x/:')!, /starts no placeholder/);
    for (const name of ['keyMatch3', 'keyMatch4', 'keyMatch5']) {
      assert.match(
        faultOf(name, '/a/{x')!,
        /`\/{` in `\/a\/{x` starts no placeholder; write `\/{name}`/,
      );
    }
    assert.throws(() => call('keyMatch2', '/x/1', '/x/:'), /starts no placeholder/);
  });

  it('refuse what is no pattern, and what linear time cannot do', () => {
    for (const bad of [
      '(',
      '[',
      '*',
      'a**',
      '(?=a)',
      '(?<!a)',
      '(a)\\1',
      '(?i)a',
      '[]',
      '[^]',
      '\\pL',
      '\\Q',
      '\\A',
      '\\ca',
      '\\0',
      'a{1001}',
      '\\ud83d',
      'x'.repeat(1001),
    ]) {
      assert.notEqual(faultOf('regexMatch', bad), undefined, bad);
    }
    assert.match(faultOf('keyMatch2', '/a(')!, /is no regular expression/);
    assert.match(faultOf('keyMatch4', '/(a)/{id}')!, /no groups besides/);
  });

  it('answer at once for patterns that backtracking engines choke on', () => {
    const text = `${'a'.repeat(20_000)}!`;
    for (const bad of CATASTROPHIC) {
      assert.equal(faultOf('regexMatch', bad), undefined, bad);
      const start = process.cpuUsage();
      call('regexMatch', text, bad);
      call('keyMatch2', text, bad.replace(/^\^|\$$/g, ''));
      const spent = process.cpuUsage(start).user / 1e6;
      assert.ok(spent < 5, `${bad} took ${spent} s`);
    }
  });

  it('match regular expressions anywhere in the text, as node-casbin does', () => {
    assert.equal(call('regexMatch', 'xGETx', 'GET'), true);
    assert.equal(call('regexMatch', 'GET\n', 'GET$'), false);
    assert.equal(compileRegex('\\s').test('\ufeff'), true);
    assert.equal(compileRegex('.').test('\u2028'), false);
  });

  it('ipMatch takes addresses and ranges alone', () => {
    assert.equal(call('ipMatch', '192.168.2.5', '192.168.2.0/24'), true);
    assert.equal(call('ipMatch', '192.168.3.5', '192.168.2.0/24'), false);
    assert.equal(call('ipMatch', '2001:db8::1', '2001:db8::/32'), true);
    for (const bad of [
      '10.0.0.0/33',
      '10.0.0/8',
      'localhost',
      '10.0.0.0/8/8',
      '10.0.0.0/',
      '::/129',
      '10.0.0.0/x',
      '',
    ]) {
      assert.notEqual(faultOf('ipMatch', bad), undefined, bad);
    }
    assert.throws(() => call('ipMatch', 'nowhere', '10.0.0.0/8'));
    assert.throws(() => call('ipMatch', ':'.repeat(100_000), '10.0.0.0/8'));
  });

  it('globMatch takes patterns that are quick on any path', () => {
    assert.equal(call('globMatch', '/foo/bar', '/foo/*'), true);
    assert.equal(call('globMatch', '/foo/bar/x', '/foo/**'), true);
    for (const bad of ['{a,b}{c,d}', '+(a|b)', '*a*b*c', '**/a/**/b/**', 'x'.repeat(300)]) {
      assert.notEqual(faultOf('globMatch', bad), undefined, bad);
    }
    assert.throws(() => call('globMatch', 'x'.repeat(2000), '*'));
    assert.throws(() => call('globMatch', 7, '*'));
  });

  it('read missing, empty and odd arguments as node-casbin does', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom('a', '', '*', '1'), (value, given) => {
        const attempt = (run: () => unknown): unknown => {
          try {
            return run();
          } catch {
            return 'error';
          }
        };
        assert.equal(
          attempt(() => call('keyMatch', value, given)),
          attempt(() => Util.keyMatchFunc(value, given)),
        );
        assert.equal(
          attempt(() => call('keyMatch3', value, given)),
          attempt(() => Util.keyMatch3Func(value, given)),
        );
      }),
    );
  });
});
