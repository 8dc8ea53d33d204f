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
});
