/** The middle of what several rounds gave, with the least and the greatest. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Median, least and greatest of some numbers. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const at = (index: number): number => sorted[index] ?? Number.NaN;
  return {
    median: (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2,
    min: at(0),
    max: at(sorted.length - 1),
  };
}

/** The least of some numbers that so great a part of them, from 0 to 1, does not exceed. */
export function percentileOf(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? Number.NaN;
}

/** The spread of what two peers gave in the same rounds, the one divided by the other. */
export function ratioOf(ours: readonly number[], theirs: readonly number[]): Spread {
  return spreadOf(ours.map((value, round) => value / (theirs[round] ?? Number.NaN)));
}

/**
 * Measures peers in turn, A B A B …, so that whatever else the machine does falls on all of them.
 * Gives each peer's rounds in the order of the peers.
 */
export async function interleave<Peer, Round>(
  peers: readonly Peer[],
  rounds: number,
  measure: (peer: Peer) => Round | Promise<Round>,
): Promise<Round[][]> {
  const results = peers.map((): Round[] => []);
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, peer] of peers.entries()) {
      results[index]?.push(await measure(peer));
    }
  }
  return results;
}
