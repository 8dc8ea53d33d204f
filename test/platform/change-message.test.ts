import assert from 'node:assert/strict';
import fc from 'fast-check';
import { readMessage, writeMessage } from '../../src/platform/change-message.js';

describe('a message of a change', () => {
  it('is read as it was written', () => {
    const message = { revision: 42, origin: '0198c2f4-7e1a-7000-8000-000000000000' };
    assert.deepEqual(readMessage(writeMessage(message)), message);
  });

  it('may be a revision alone, as Postgres tells it', () => {
    assert.deepEqual(readMessage(writeMessage({ revision: 42 })), { revision: 42 });
    assert.deepEqual(readMessage('42'), { revision: 42 });
  });

  const OTHERS = [
    '',
    'null',
    '0',
    '-1',
    '1.5',
    '042',
    '99999999999999999',
    '[1]',
    '{"revision":"1","origin":"a"}',
    '{"revision":0,"origin":"a"}',
    '{"revision":1e300,"origin":"a"}',
    '{"revision":1,"origin":""}',
    '{"revision":1,"origin":7}',
    '{"revision":1,"origin":"a b"}',
    '{"revision":1,"origin":"a","rules":[]}',
    '{"revision":1,"origin":"a","__proto__":{}}',
    `{"revision":1,"origin":"a"${' '.repeat(10_000_000)}}`,
  ];
  for (const text of OTHERS) {
    it(`is not: ${text.slice(0, 50).trim() || 'an empty text'}`, () => {
      assert.equal(readMessage(text), undefined);
    });
  }

  it('is nothing else, whatever arrives, and no text makes it throw', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.json()), (text) => {
        const read = readMessage(text);
        if (read !== undefined) assert.ok(Number.isSafeInteger(read.revision), text);
      }),
    );
  });
});
