import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { Unauthenticated } from '../../src/errors.js';
import { authenticate, bearerOf } from '../../src/identity/authenticate.js';
import type { Caller } from '../../src/identity/caller.js';
import { emptyKeyRing, type KeyRing } from '../../src/identity/key-ring.js';

const NOW = Date.parse('2026-11-22T12:00:00Z');
const KEY = `csk_${'A'.repeat(42)}-`;
const caller: Caller = {
  id: 'key:key_1',
  tenant: 'acme',
  user: undefined,
  person: 'user:alice',
  systemRoles: ['service'],
};

function ringOf(key: string, expiresAt?: number): KeyRing & { asked: string[] } {
  const hash = createHash('sha256').update(key, 'utf8').digest('hex');
  const asked: string[] = [];
  return {
    asked,
    find: (wanted) => {
      asked.push(wanted);
      return wanted === hash ? { caller, expiresAt } : undefined;
    },
    holds: ({ id }) => id === caller.id,
  };
}

function refusal(authorization: string | undefined, keys: KeyRing, now = NOW): Unauthenticated {
  try {
    authenticate(authorization, keys, now);
  } catch (error) {
    assert.ok(error instanceof Unauthenticated);
    return error;
  }
  return assert.fail(`\`${authorization}\` was taken for a credential`);
}

describe('authentication', () => {
  for (const [what, header] of Object.entries({
    'the usual form': `Bearer ${KEY}`,
    'the scheme in lower case': `bearer ${KEY}`,
    'the scheme in capitals': `BEARER ${KEY}`,
    'several spaces between': `Bearer    ${KEY}`,
    'spaces after it': `Bearer ${KEY}  `,
  })) {
    it(`takes a key in ${what}`, () => {
      assert.equal(authenticate(header, ringOf(KEY), NOW), caller);
    });
  }

  for (const [what, header] of Object.entries({
    'no header': undefined,
    'an empty header': '',
    'the scheme alone': 'Bearer',
    'the scheme and spaces': 'Bearer    ',
    'no scheme': KEY,
    'no space': `Bearer${KEY}`,
    'a tab for the space': `Bearer\t${KEY}`,
    'a space before the scheme': ` Bearer ${KEY}`,
    'another scheme': `Basic ${KEY}`,
    'a longer scheme': `XBearer ${KEY}`,
    'the scheme twice': `Bearer Bearer ${KEY}`,
    'two keys': `Bearer ${KEY} ${KEY}`,
    'two keys in a list': `Bearer ${KEY}, Bearer ${KEY}`,
    'quotes around it': `Bearer "${KEY}"`,
    'parameters after it': `Bearer ${KEY}; charset=utf-8`,
    'another case': `Bearer ${KEY.toLowerCase()}`,
    'one character less': `Bearer ${KEY.slice(0, -1)}`,
    'one character more': `Bearer ${KEY}=`,
    'a NUL after it': `Bearer ${KEY}\0`,
    'a line break after it': `Bearer ${KEY}\n`,
    'a second header behind a line break': `Bearer ${KEY}\r\nX: y`,
    'a character of two bytes that ends in the right one': `Bearer \u0163${KEY.slice(1)}`,
    'a lone surrogate': `Bearer \ud800${KEY}`,
    'its hash': `Bearer ${createHash('sha256').update(KEY).digest('hex')}`,
  })) {
    it(`refuses ${what}`, () => {
      refusal(header, ringOf(KEY));
    });
  }

  it('takes a key until the millisecond at which it expires', () => {
    const expiry = NOW + 1_000;
    assert.equal(authenticate(`Bearer ${KEY}`, ringOf(KEY, expiry), expiry - 1), caller);
    refusal(`Bearer ${KEY}`, ringOf(KEY, expiry), expiry);
    refusal(`Bearer ${KEY}`, ringOf(KEY, expiry), expiry + 1);
  });

  it('never says what was wrong', () => {
    const messages = [
      refusal(undefined, emptyKeyRing),
      refusal('Basic x', ringOf(KEY)),
      refusal('Bearer unknown', ringOf(KEY)),
      refusal(`Bearer ${KEY}`, ringOf(KEY, NOW)),
    ].map(({ message, status, code, headers }) => ({ message, status, code, headers }));
    for (const answer of messages) assert.deepEqual(answer, messages[0]);
    assert.deepEqual(messages[0]?.headers, { 'WWW-Authenticate': 'Bearer' });
  });

  it('computes nothing for a credential of absurd length', () => {
    const ring = ringOf(KEY);
    refusal(`Bearer ${'x'.repeat(100_000)}`, ring);
    assert.deepEqual(ring.asked, []);
  });

  it('takes a root key of any characters, as the bytes that HTTP hands on', () => {
    for (const key of [
      'a pass phrase of many words, 32 and more',
      'Schlüßel für alle Fälle — über 32 Zeichen',
    ]) {
      const header = Buffer.from(`Bearer ${key}`, 'utf8').toString('latin1');
      assert.equal(authenticate(header, ringOf(key), NOW), caller);
    }
  });

  it('answers any header with a caller or with Unauthenticated, and quickly', () => {
    const piece = fc.constantFrom(
      'Bearer',
      'bearer ',
      ' ',
      KEY,
      '\0',
      '\t',
      ',',
      'é',
      '\u{1f600}',
      'csk_',
    );
    const header = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 200 }),
      fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join('')),
    );
    fc.assert(
      fc.property(header, (value) => {
        if (bearerOf(value) === KEY) assert.equal(authenticate(value, ringOf(KEY), NOW), caller);
        else refusal(value, ringOf(KEY));
      }),
      { numRuns: 500 },
    );
    const start = performance.now();
    refusal(`Bearer ${'a '.repeat(4_000)}\u0001`, ringOf(KEY));
    refusal(`Bearer ${' '.repeat(8_000)}\u0001`, ringOf(KEY));
    assert.ok(performance.now() - start < 100);
  });
});
