import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Counter, Histogram, Registry } from 'prom-client';
import { Tally, Timings } from '../../src/platform/tally.js';

const NAMES = { name: 'a_metric', help: 'What it counts' };

/** The lines of a registry, in an order that does not depend on what was counted first. */
async function linesOf(registry: Registry): Promise<string[]> {
  return (await registry.metrics()).split('\n').sort();
}

describe('a tally', () => {
  it('shows what a counter of prom-client would, at every scrape', async () => {
    const word = fc.constantFrom('allow', 'deny', 'a "quoted" one', '');
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(word, word)),
        fc.array(fc.tuple(word, word)),
        async (first, then) => {
          const [ours, theirs] = [new Registry(), new Registry()];
          const tally = new Tally({ ...NAMES, registers: [ours] }, ['decision', 'reason']);
          const counter = new Counter({
            ...NAMES,
            registers: [theirs],
            labelNames: ['decision', 'reason'],
          });
          for (const words of [first, then]) {
            for (const [decision, reason] of words) {
              tally.inc(decision, reason);
              counter.inc({ decision, reason });
            }
            assert.deepEqual(await linesOf(ours), await linesOf(theirs));
          }
        },
      ),
    );
  });
});

describe('timings', () => {
  it('show what a histogram of prom-client would, at every scrape', async () => {
    const buckets = [0.001, 0.01, 1];
    const seconds = fc.oneof(
      fc.constantFrom(0, ...buckets, 2),
      fc.double({ min: 0, max: 3, noNaN: true }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(seconds), fc.array(seconds), async (first, then) => {
        const [ours, theirs] = [new Registry(), new Registry()];
        const timings = new Timings({ ...NAMES, registers: [ours] }, buckets);
        const histogram = new Histogram({ ...NAMES, registers: [theirs], buckets });
        for (const values of [first, then]) {
          for (const value of values) {
            timings.observe(value);
            histogram.observe(value);
          }
          assert.deepEqual(await linesOf(ours), await linesOf(theirs));
        }
      }),
    );
  });
});
