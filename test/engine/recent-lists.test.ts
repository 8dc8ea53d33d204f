import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Ints } from '../../src/engine/indexed/ints.js';
import { RecentLists } from '../../src/engine/indexed/recent-lists.js';

const small = fc.nat({ max: 3 });
const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      a: small,
      b: small,
      list: fc.array(fc.nat(), { maxLength: 14 }),
      mark: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.constant('forget' as const) },
);

describe('lists held for pairs of numbers', () => {
  it('are those that were held last, or none', () => {
    let found = 0;
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const lists = new RecentLists(4);
        const held = new Map<string, { list: readonly number[]; mark: boolean }>();
        for (const each of steps) {
          if (each === 'forget') {
            lists.forget();
            held.clear();
            continue;
          }
          const { a, b, list, mark } = each;
          const into = new Ints();
          into.push(-7);
          const isHeld = lists.copy(a, b, into);
          if (isHeld) found += 1;
          const known = held.get(`${a} ${b}`);
          // What is held may have had to go; never is it another's, or an earlier one.
          assert.deepEqual(
            [...into.toArray()],
            isHeld ? [-7, ...(known?.list ?? ['nothing'])] : [-7],
          );
          assert.equal(lists.isMarked(a, b), isHeld ? known?.mark : undefined);
          if (isHeld) continue;
          lists.hold(a, b, list, mark);
          held.set(`${a} ${b}`, { list, mark });
        }
      }),
      { numRuns: 2_000 },
    );
    assert.ok(found > 300, `${found} found`);
  });

  it('are the latest two of those for the same place', () => {
    const lists = new RecentLists(2);
    for (const key of [1, 2, 3]) lists.hold(key, key, [key], false);
    const into = new Ints();
    assert.deepEqual(
      [1, 2, 3].map((key) => lists.copy(key, key, into)),
      [false, true, true],
    );
    assert.deepEqual([...into.toArray()], [2, 3]);
  });
});
