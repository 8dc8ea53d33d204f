import assert from 'node:assert/strict';
import { atOnce, inTurns, type Work } from '../../src/platform/turns.js';

describe('work in turns', () => {
  it('lets others have their turns before it is done', async () => {
    let others = 0;
    const count = (): void => {
      others += 1;
      if (others < 3) setImmediate(count);
    };
    setImmediate(count);
    function* untilOthersWereThere(): Work<string> {
      while (others < 3) yield;
      return 'done';
    }
    assert.equal(await inTurns(untilOthersWereThere()), 'done');
  });

  it('is all done at once where nobody else waits', () => {
    function* counting(): Work<number> {
      let pauses = 0;
      for (; pauses < 1_000; pauses += 1) yield;
      return pauses;
    }
    assert.equal(atOnce(counting()), 1_000);
  });

  it('has its errands done elsewhere, or here where nobody else waits', async () => {
    const places: string[] = [];
    function* sending(): Work<number> {
      yield {
        here: () => void places.push('here'),
        elsewhere: async () => void places.push('elsewhere'),
      };
      return places.length;
    }
    assert.equal(await inTurns(sending()), 1);
    assert.equal(atOnce(sending()), 2);
    assert.deepEqual(places, ['elsewhere', 'here']);
  });

  it('fails where an errand does', async () => {
    function* sending(): Work<string> {
      const fail = () => {
        throw new RangeError('lost');
      };
      yield { here: fail, elsewhere: async () => fail() };
      return 'never';
    }
    await assert.rejects(() => inTurns(sending()), RangeError);
    assert.throws(() => atOnce(sending()), RangeError);
  });
});
