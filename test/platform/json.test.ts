import assert from 'node:assert/strict';
import fc from 'fast-check';
import { isPlainJson, MAX_DEPTH, plainJsonFaults } from '../../src/platform/json.js';

/** Values as `JSON.parse` gives them, what is refused among them more often than by chance. */
const parsed = fc.letrec<{ value: unknown; object: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom<unknown>(null, true, 1, -0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
    fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('', '\0', 'a\ud800', '\udc00b')),
    fc.array(tie('value'), { maxLength: 3 }),
    tie('object'),
  ),
  object: fc
    .array(
      fc.tuple(
        fc.constantFrom('a', 'b/c', '__proto__', 'd\0', '\ud800', 'constructor'),
        tie('value'),
      ),
      { maxLength: 3 },
    )
    .map((members) => {
      const object: Record<string, unknown> = {};
      // As JSON.parse does: `__proto__` too becomes a member of its own.
      for (const [name, value] of members) {
        Object.defineProperty(object, name, { value, enumerable: true, configurable: true });
      }
      return object;
    }),
})).value;

describe('plain JSON', () => {
  it('is told quickly as it is told with places', () => {
    fc.assert(
      fc.property(parsed, (value) => {
        assert.equal(isPlainJson(value), plainJsonFaults(value).length === 0);
      }),
      { numRuns: 2_000 },
    );
  });

  const nested = (levels: number, open: string, close: string): unknown =>
    JSON.parse(`${open.repeat(levels)}1${close.repeat(levels)}`);

  for (const [what, open, close] of [
    ['objects', '{"a":', '}'],
    ['lists', '[', ']'],
  ] as const) {
    it(`nests ${what} ${MAX_DEPTH} levels deep and no deeper, however deep they go`, () => {
      const allowed = nested(MAX_DEPTH, open, close);
      assert.deepEqual([isPlainJson(allowed), plainJsonFaults(allowed)], [true, []]);
      for (const levels of [MAX_DEPTH + 1, 100_000]) {
        const deep = nested(levels, open, close);
        assert.equal(isPlainJson(deep), false);
        assert.match(plainJsonFaults(deep)[0]?.message ?? '', /nested/);
      }
    });
  }

  it('has no member called __proto__', () => {
    const value: unknown = JSON.parse('{"a":[{"__proto__":{"admin":true}}]}');
    assert.equal(isPlainJson(value), false);
    assert.equal(plainJsonFaults(value)[0]?.path, '/a/0/__proto__');
  });
});
