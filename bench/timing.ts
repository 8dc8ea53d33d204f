import { spreadOf } from './measure.js';

/** Milliseconds of one sample: short, so that most of them are over before the system takes a turn. */
const SAMPLE = 1;

/**
 * Makes a measurement of a function that is called with 0, 1, 2 …: each time, the median of samples
 * that last `budget` milliseconds together, in microseconds a call. What takes longer than a sample
 * is called once in each, at least once in all.
 */
export function timedCalls(call: (index: number) => unknown, budget: number): () => number {
  let next = 0;
  const sample = (count: number): number => {
    const began = process.hrtime.bigint();
    for (const end = next + count; next < end; next += 1) call(next);
    return Number(process.hrtime.bigint() - began) / 1_000;
  };
  const count = callsPerSample(sample, budget);
  return () => {
    const samples: number[] = [];
    for (let spent = 0; spent < budget * 1_000; ) {
      const took = sample(count);
      spent += took;
      samples.push(took / count);
    }
    return spreadOf(samples).median;
  };
}

/** Warms up, for `budget` milliseconds at most, and finds how many calls fill a sample. */
function callsPerSample(sample: (count: number) => number, budget: number): number {
  let took = sample(1);
  for (let spent = took; spent + 10 * took < budget * 1_000; spent += 10 * took) {
    took = sample(10) / 10;
  }
  return Math.max(1, Math.round((SAMPLE * 1_000) / took));
}
