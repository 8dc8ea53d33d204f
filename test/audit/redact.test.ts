import assert from 'node:assert/strict';
import fc from 'fast-check';
import { storableJson } from '../../src/audit/event-columns.js';
import { MASK, redact } from '../../src/audit/redact.js';
import type { JsonObject, JsonValue } from '../../src/vocabulary.js';

function maskedCheck(check: JsonObject, ...paths: string[]): unknown {
  return redact({ check }, paths).check;
}

describe('redaction', () => {
  it('masks what a path names, and nothing beside it', () => {
    assert.deepEqual(
      maskedCheck(
        {
          context: { card: { number: '4111' }, comment: 'why' },
          resource: { type: 'account', properties: { iban: 'DE00', owner: 'alice' } },
        },
        'context.card',
        'resource.properties.iban',
      ),
      {
        context: { card: MASK, comment: 'why' },
        resource: { type: 'account', properties: { iban: MASK, owner: 'alice' } },
      },
    );
  });

  it('goes through arrays on the way, nested ones too', () => {
    assert.deepEqual(
      maskedCheck(
        { context: { cards: [{ number: 1 }, [{ number: 2, name: 'a' }], 'x'] } },
        'context.cards.number',
      ),
      { context: { cards: [{ number: MASK }, [{ number: MASK, name: 'a' }], 'x'] } },
    );
  });

  it('masks every element where a path names one by its index', () => {
    assert.deepEqual(maskedCheck({ context: { cards: ['a', 'b'] } }, 'context.cards.1'), {
      context: { cards: [MASK, MASK] },
    });
  });

  it('masks members whose own name holds dots', () => {
    assert.deepEqual(
      maskedCheck({ context: { 'card.number': 1, card: { number: 2 } } }, 'context.card.number'),
      { context: { 'card.number': MASK, card: { number: MASK } } },
    );
  });

  it('masks empty and falsy values too, and leaves absent ones absent', () => {
    assert.deepEqual(
      maskedCheck(
        { context: { a: null, b: 0, c: '' } },
        'context.a',
        'context.b',
        'context.c',
        'context.d',
      ),
      {
        context: { a: MASK, b: MASK, c: MASK },
      },
    );
  });

  it('speaks of the check alone, not of other details', () => {
    const detail = { context: { card: 1 }, check: { context: { card: 1 } } };
    assert.deepEqual(redact(detail, ['context.card']), {
      context: { card: 1 },
      check: { context: { card: MASK } },
    });
  });

  for (const name of [
    'authorization',
    'Authorization',
    'password',
    'new_password',
    'token',
    'access_token',
    'refreshTokens',
    'client-secret',
    'X-Api-Key',
    'Set-Cookie',
    'credentials',
  ]) {
    it(`masks a member called \`${name}\` wherever it is`, () => {
      assert.deepEqual(redact({ a: [{ [name]: { deep: 'value' } }], [name]: 'value' }, []), {
        a: [{ [name]: MASK }],
        [name]: MASK,
      });
    });
  }

  it('leaves the id of a key, and yes and no, readable', () => {
    const detail = { key: 'key_1', has_password: true, token: null, tokens_left_over: 3 };
    assert.deepEqual(redact(detail, []), detail);
  });

  it('masks API keys, tokens and bearer credentials inside of any text and name', () => {
    const key = `csk_${'Ab-_'.repeat(10)}abc`;
    const jwt = 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl';
    const masked = JSON.stringify(
      redact(
        {
          note: `my key is ${key}.`,
          list: [jwt, `bearer ${'z'.repeat(40)}`],
          [key]: 1,
          u: `http://h/?k=${key}&x`,
        },
        [],
      ),
    );
    assert.ok(!masked.includes('csk_'));
    assert.ok(!masked.includes('eyJ'));
    assert.ok(!masked.includes('zzzz'));
    assert.ok(masked.includes('my key is'));
  });

  it('keeps a member called `__proto__` a plain member', () => {
    const detail = JSON.parse(
      '{"check": {"context": {"__proto__": {"card": 1}, "a": {"card": 2}}}}',
    ) as JsonObject;
    const masked = JSON.stringify(redact(detail, ['context.__proto__.card']));
    assert.equal(masked, `{"check":{"context":{"__proto__":{"card":"${MASK}"},"a":{"card":2}}}}`);
    assert.equal(Object.hasOwn(Object.prototype, 'card'), false);
  });

  const json = fc.jsonValue({ maxDepth: 5 }) as fc.Arbitrary<JsonValue>;
  const name = fc.constantFrom('a', 'b', '0', 'token', 'a.b', '__proto__');
  const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => names.join('.'));
  const check = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      json,
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(name, tie('value'), { maxKeys: 4 }),
    ),
  })).value as fc.Arbitrary<JsonValue>;

  it('never changes its input, and masking again changes nothing', () => {
    fc.assert(
      fc.property(check, fc.array(path, { maxLength: 4 }), (value, paths) => {
        const detail = { check: value };
        const before = JSON.stringify(detail);
        const once = redact(detail, paths);
        assert.equal(JSON.stringify(detail), before);
        assert.deepEqual(redact(once, paths), once);
      }),
    );
  });

  it('leaves nothing but masks at the end of a path', () => {
    fc.assert(
      fc.property(check, path, (value, path) => {
        for (const found of reach(redact({ check: value }, [path]).check, path.split('.'))) {
          assert.equal(found, MASK);
        }
      }),
    );
  });
});

/** Everything that a path leads to, the plain way: members by name, arrays gone through. */
function reach(value: unknown, path: string[]): unknown[] {
  if (path.length === 0) return [value];
  if (Array.isArray(value)) return value.flatMap((item) => reach(item, path));
  const [head = '', ...rest] = path;
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, head)) return [];
  return reach((value as Record<string, unknown>)[head], rest);
}

describe('JSON for Postgres', () => {
  const hostile = fc.string({
    unit: fc.constantFrom('a', '\0', '\\', '"', 'u0000', 'ud800', '\ud800', '\udfff', '😀', '\n'),
  });

  it('is the same where Postgres takes it as it is', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify(value);
        fc.pre(!/\\u(0000|d[89a-f])/.test(text));
        assert.equal(storableJson(text), text);
      }),
    );
  });

  it('shows NUL and lone surrogates as their escapes and changes nothing else', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        const shown = text.replace(
          /\0|\p{Surrogate}/gu,
          (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
        );
        assert.equal(JSON.parse(storableJson(JSON.stringify(text))), shown);
      }),
    );
  });
});
