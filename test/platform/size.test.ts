import assert from 'node:assert/strict';
import { parseSize } from '../../src/platform/size.js';

describe('parseSize', () => {
  it('reads a whole number of bytes, KiB, MiB or GiB as bytes', () => {
    assert.equal(parseSize('0'), 0);
    assert.equal(parseSize('4096'), 4_096);
    assert.equal(parseSize('16KiB'), 16_384);
    assert.equal(parseSize('512MiB'), 536_870_912);
    assert.equal(parseSize('1GiB'), 1_073_741_824);
  });

  it('refuses everything else', () => {
    const wrong = ['', 'GiB', '1gib', '1GB', '1 GiB', ' 1GiB', '1GiB\n', '-1', '1.5GiB', '1e3'];
    for (const text of [...wrong, '٣GiB', '0x5', '999999999999999GiB'])
      assert.equal(parseSize(text), undefined, JSON.stringify(text));
  });
});
