import assert from 'node:assert/strict';
import { orderedIds } from '../../src/platform/ordered-id.js';

const NOON = Date.parse('2026-11-22T12:00:00Z');

/** The milliseconds in an id. */
function timeOf(id: string): number {
  return Number.parseInt(id.slice(0, 12), 16);
}

describe('ordered ids', () => {
  it('are UUIDs of version 7 without their hyphens, of the time at which they are made', () => {
    let now = NOON;
    const next = orderedIds();
    for (let made = 0; made < 2_000; made += 1) {
      const id = next(now);
      assert.match(id, /^[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}$/);
      assert.equal(timeOf(id), now);
      now += 1;
    }
  });

  it('grow within a millisecond, over more than it can tell apart, and when the clock goes back', () => {
    let now = NOON;
    const next = orderedIds();
    let last = next(now);
    for (let made = 0; made < 20_000; made += 1) {
      if (made === 15_000) now -= 60_000;
      const id = next(now);
      assert.ok(id > last, `${id} after ${last}`);
      last = id;
    }
    assert.ok(timeOf(last) - NOON < 20, 'their time runs ahead by a few milliseconds only');
  });

  it('of two makers have nothing random in common', () => {
    const [mine, yours] = [orderedIds(), orderedIds()];
    const tails = new Set<string>();
    for (let made = 0; made < 5_000; made += 1) {
      tails.add(mine(NOON).slice(16));
      tails.add(yours(NOON).slice(16));
    }
    assert.equal(tails.size, 10_000);
  });
});
