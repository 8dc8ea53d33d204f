import assert from 'node:assert/strict';
import fc from 'fast-check';
import { keyPattern } from '../../src/engine/key-pattern.js';
import { compileRegex } from '../../src/engine/regex.js';
import { compileSegments } from '../../src/engine/segment-pattern.js';

const PIECES = ['/', '/:id', '/*', '*', 'a', 'b', ':', 'path:', '.', '-', '😀', '/:a/:b', 'x/'];
const TEXTS = ['/', 'a', 'b', '/a', '/b', ':', 'path:', '.', '-', '😀', '\u2028', 'x', '*', ''];

const joined = (pieces: readonly string[]) =>
  fc.array(fc.constantFrom(...pieces), { maxLength: 8, size: 'max' }).map((list) => list.join(''));

/** The expression of a pattern, where it has one. */
function sourceOf(pattern: string): string | undefined {
  try {
    return keyPattern('keyMatch2', pattern);
  } catch {
    return undefined;
  }
}

describe('the segments of a key pattern', () => {
  it('match what the regular expression matches', () => {
    let compared = 0;
    fc.assert(
      fc.property(joined(PIECES), fc.array(joined(TEXTS), { minLength: 8 }), (pattern, texts) => {
        const source = sourceOf(pattern);
        const segments = source === undefined ? undefined : compileSegments(source);
        if (source === undefined || segments === undefined) return;
        const regex = compileRegex(source);
        for (const text of [...texts, pattern]) {
          compared += 1;
          assert.equal(segments(text), regex.test(text), JSON.stringify({ source, text }));
        }
      }),
      { numRuns: 2_000 },
    );
    assert.ok(compared > 2_000, `only ${compared} were compared`);
  });

  for (const source of ['^/orders/[^/]+$', '^/orders/[^/]+/items/.*$', '^/a$', '^$']) {
    it(`are made of ${source}`, () => {
      assert.notEqual(compileSegments(source), undefined);
    });
  }

  for (const source of [
    '/a',
    '^/a',
    '^/[^/]+x$',
    '^/[^/]+.*$',
    '^/.*/b$',
    '^/a.b$',
    '^(.*)$',
    '^',
  ]) {
    it(`are not made of ${source}, which may match in several ways`, () => {
      assert.equal(compileSegments(source), undefined);
    });
  }
});
