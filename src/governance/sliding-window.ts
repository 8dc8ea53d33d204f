import type { Demand, Receipt, Taken, TightestLimit } from './limiter.js';

/**
 * The one formula of all limiters: a period is cut into 60 sub-buckets, numbered from the epoch; a
 * window holds the current one and the 60 before it, the oldest counted whole. Any stretch of time as
 * long as the period touches at most these 61, so none ever holds more than the count.
 */
export const SUB_BUCKETS = 60;

/** What was taken in one sub-bucket. */
export type BucketUse = readonly [index: number, used: number];

/** The number of the sub-bucket that holds an instant. */
export function bucketAt(now: number, periodMs: number): number {
  return Math.floor((now * SUB_BUCKETS) / periodMs);
}

/** The instant at which a sub-bucket begins. */
export function startOf(bucket: number, periodMs: number): number {
  return Math.ceil((bucket * periodMs) / SUB_BUCKETS);
}

/** The first sub-bucket of the window that ends now; what lies before it no longer counts. */
export function firstCounted(now: number, periodMs: number): number {
  return bucketAt(now, periodMs) - SUB_BUCKETS;
}

/** How many are taken in the window that ends now. Ahead of now counts too: clocks differ. */
export function usedIn(uses: readonly BucketUse[], now: number, periodMs: number): number {
  const first = firstCounted(now, periodMs);
  return uses.reduce((sum, [index, used]) => (index >= first ? sum + used : sum), 0);
}

/**
 * Seconds, whole and at least 1, until at most `most` of what is taken still counts: until a unit
 * frees for `most = count - 1`.
 */
export function secondsUntil(
  most: number,
  uses: readonly BucketUse[],
  now: number,
  periodMs: number,
): number {
  const first = firstCounted(now, periodMs);
  const counted = uses.filter(([index]) => index >= first).sort(([a], [b]) => a - b);
  let left = counted.reduce((sum, [, used]) => sum + used, 0);
  let free = now;
  for (const [index, used] of counted) {
    if (left <= most) break;
    left -= used;
    // A bucket is no longer counted when the one 61 after it begins.
    free = startOf(index + SUB_BUCKETS + 1, periodMs);
  }
  return Math.max(1, Math.ceil((free - now) / 1_000));
}

/** What is taken when demands are met at an instant. */
export function receiptOf(demands: readonly Demand[], now: number): Receipt {
  return demands.map(({ tenant, counter, periodMs }) => ({
    tenant,
    counter,
    bucket: bucketAt(now, periodMs),
  }));
}

/** What a store found for one demand, before anything was taken. */
export interface Reading {
  readonly demand: Demand;
  readonly uses: readonly BucketUse[];
}

/**
 * The answer to demands that are taken all together or not at all. `now` is the store's, the one that
 * it has counted by.
 */
export function answerOf(readings: readonly Reading[], now: number): Omit<Taken, 'receipt'> {
  const judged = readings.map((reading) => ({ ...reading, used: usedOf(reading, now) }));
  const refused = judged.filter(({ demand, used }) => used >= demand.count);
  const allowed = refused.length === 0;
  const limits = (allowed ? judged : refused).map((entry) => limitOf(entry, now, allowed));
  const tightest = limits.sort((a, b) => a.remaining - b.remaining || b.reset - a.reset)[0];
  return {
    allowed,
    refused: [...new Set(refused.map(({ demand }) => demand.ruleId))],
    ...(tightest === undefined ? {} : { tightest }),
    ...(allowed || tightest === undefined ? {} : { retryAfter: tightest.reset }),
  };
}

function usedOf({ demand, uses }: Reading, now: number): number {
  return usedIn(uses, now, demand.periodMs);
}

function limitOf(
  { demand, uses, used }: Reading & { readonly used: number },
  now: number,
  allowed: boolean,
): TightestLimit {
  const { count, periodMs, ruleId } = demand;
  const after: readonly BucketUse[] = allowed ? [...uses, [bucketAt(now, periodMs), 1]] : uses;
  return {
    limit: count,
    remaining: allowed ? count - used - 1 : 0,
    reset: secondsUntil(allowed ? used : count - 1, after, now, periodMs),
    ruleId,
  };
}
