/** Microseconds that one of `count` calls took, one after another. */
export function microsecondsEach(count: number, call: (index: number) => unknown): number {
  const began = process.hrtime.bigint();
  for (let index = 0; index < count; index += 1) {
    call(index);
  }
  return Number(process.hrtime.bigint() - began) / 1_000 / count;
}

/**
 * A measurement of as many calls as fit into `budget` milliseconds, at least one and at most `most`.
 * What a call takes is tried out first, with a few calls that also warm it up.
 */
export function timedCalls(
  call: (index: number) => unknown,
  budget: number,
  most = 10_000,
): () => number {
  const warmUp = process.hrtime.bigint() + BigInt(budget) * 1_000_000n;
  let tried = 0;
  let took = 0;
  do {
    took = microsecondsEach(1, () => call(tried));
    tried += 1;
  } while (process.hrtime.bigint() < warmUp && tried < most);
  const count = Math.max(1, Math.min(most, Math.floor((budget * 1_000) / took)));
  let next = 0;
  return () => {
    const start = next;
    next += count;
    return microsecondsEach(count, (index) => call(start + index));
  };
}
