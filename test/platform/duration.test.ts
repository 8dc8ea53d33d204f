import assert from 'node:assert/strict';
import fc from 'fast-check';
import { parseDuration } from '../../src/platform/duration.js';

describe('parseDuration', () => {
  it('reads a whole number of seconds, minutes, hours or days as milliseconds', () => {
    assert.equal(parseDuration('90s'), 90_000);
    assert.equal(parseDuration('15m'), 900_000);
    assert.equal(parseDuration('4h'), 14_400_000);
    assert.equal(parseDuration('7d'), 604_800_000);
    assert.equal(parseDuration('0s'), 0);
  });

  it('refuses everything else', () => {
    const wrong = ['', '5', 's', '5S', ' 5s', '5s ', '5s\n', '-5s', '1.5h', '1h30m', '5ms', '5w'];
    for (const text of [...wrong, '٣s', '1e3s', '999999999s', '0x5s'])
      assert.equal(parseDuration(text), undefined, JSON.stringify(text));
  });

  it('never answers anything but a whole number that can be counted exactly', () => {
    fc.assert(
      fc.property(fc.nat(99_999_999), fc.constantFrom('s', 'm', 'h', 'd'), (count, unit) => {
        assert.ok(Number.isSafeInteger(parseDuration(`${count}${unit}`)));
      }),
    );
  });
});
