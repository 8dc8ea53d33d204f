import assert from 'node:assert/strict';
import fc from 'fast-check';
import { sortingAsRuntime } from '../../src/engine/indexed/runtime-sort.js';

/** Where each value comes; `NaN` compares with nothing, as subjects without a rank do. */
const keys = fc
  .record({
    pieces: fc.array(
      fc.record({
        shape: fc.constantFrom('rising', 'falling', 'mixed'),
        length: fc.nat({ max: 400 }),
        kinds: fc.integer({ min: 1, max: 500 }),
        seed: fc.nat(),
      }),
      { maxLength: 8 },
    ),
    unknown: fc.constantFrom(0, 2, 10, 100),
  })
  .map(({ pieces, unknown }) => pieces.flatMap((piece) => keysOf(piece, unknown)));

interface Piece {
  readonly shape: string;
  readonly length: number;
  readonly kinds: number;
  readonly seed: number;
}

function keysOf({ shape, length, kinds, seed }: Piece, unknown: number): number[] {
  let state = seed;
  const draw = (end: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * end);
  };
  return Array.from({ length }, (_, at) => {
    if (unknown > 0 && draw(unknown) === 0) return Number.NaN;
    if (shape === 'mixed') return draw(kinds);
    return (shape === 'rising' ? at : -at) + draw(3);
  });
}

/** What both sorts make of it, and the most comparisons that ours made in one turn. */
function sorted(order: readonly number[]): { ours: number[]; theirs: number[]; most: number } {
  const compare = (a: number, b: number) => (order[a] as number) - (order[b] as number);
  const theirs = [...order.keys()].sort(compare);
  const ours = Int32Array.from(order.keys());
  let count = 0;
  let most = 0;
  const work = sortingAsRuntime(ours, (a, b) => {
    count += 1;
    return compare(a, b);
  });
  while (work.next().done !== true) {
    most = Math.max(most, count);
    count = 0;
  }
  return { ours: [...ours], theirs, most: Math.max(most, count) };
}

describe('sorting in turns', () => {
  it('gives the order that the runtime gives, whether values compare consistently or not', () => {
    let inconsistent = 0;
    fc.assert(
      fc.property(keys, (order) => {
        const { ours, theirs } = sorted(order);
        assert.deepEqual(ours, theirs);
        if (order.some(Number.isNaN) && order.length > 1_000) inconsistent += 1;
      }),
      { numRuns: 800 },
    );
    assert.ok(inconsistent > 40, `only ${inconsistent} were large and inconsistent`);
  });

  it('makes few comparisons in one turn, however many there are', () => {
    const { most } = sorted(Array.from({ length: 100_000 }, (_, at) => (at * 7_919) % 100_003));
    assert.ok(most < 5_000, `${most} comparisons in one turn`);
  });
});
