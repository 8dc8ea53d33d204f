import assert from 'node:assert/strict';
import fc from 'fast-check';
import { WideMap } from '../../src/platform/wide-map.js';

describe('a wide map', () => {
  it('finds what a map would find', () => {
    const entries = fc.array(fc.tuple(fc.string({ unit: 'binary', maxLength: 3 }), fc.nat()));
    fc.assert(
      fc.property(entries, fc.array(fc.string({ maxLength: 3 })), (given, others) => {
        const wide = new WideMap<number>();
        for (const [key, value] of given) wide.set(key, value);
        const plain = new Map(given);
        for (const key of [...plain.keys(), ...others]) {
          assert.equal(wide.get(key), plain.get(key));
        }
      }),
    );
  });
});
