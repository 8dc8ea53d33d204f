import assert from 'node:assert/strict';
import { PartBreakers } from '../../src/platform/part-breakers.js';

describe('breakers of the parts of a store', () => {
  let now: number;
  let changes: boolean[];
  let breakers: PartBreakers;

  beforeEach(() => {
    now = 50;
    changes = [];
    breakers = new PartBreakers({
      failures: 2,
      pause: 1_000,
      clock: { now: () => now },
      onChange: (isOpen) => changes.push(isOpen),
    });
  });

  const fail = (part: string): void => {
    for (let i = 0; i < 2; i += 1) breakers.failed(part);
  };

  it('admit nobody to a part that failed, and everybody to others', () => {
    fail('a');
    assert.deepEqual([breakers.admits('a'), breakers.admits('b')], [false, true]);
    now += 1_000;
    assert.deepEqual([breakers.admits('a'), breakers.admits('a')], [true, false]);
    breakers.succeeded('a');
    assert.equal(breakers.admits('a'), true);
  });

  it('tell when the first of them opens, and when the last one closes', () => {
    fail('a');
    fail('b');
    assert.deepEqual(changes, [true]);
    breakers.succeeded('a');
    breakers.succeeded('c');
    assert.deepEqual(changes, [true]);
    breakers.succeeded('b');
    assert.deepEqual(changes, [true, false]);
  });

  it('admit one call to a part that spoke too late', () => {
    fail('a');
    breakers.spoke('a');
    breakers.spoke('never asked');
    assert.deepEqual([breakers.admits('a'), breakers.admits('a')], [true, false]);
  });

  it('forget a part that answers', () => {
    breakers.failed('a');
    breakers.succeeded('a');
    breakers.failed('a');
    assert.equal(breakers.admits('a'), true);
  });

  it('watch no more than ten thousand parts', () => {
    for (let i = 0; i < 10_000; i += 1) breakers.failed(`part-${i}`);
    fail('one more');
    assert.equal(breakers.admits('one more'), true);
    fail('part-0');
    assert.equal(breakers.admits('part-0'), false);
  });
});
