import type { Demand, Receipt, Taken, TightestLimit } from './limiter.js';

/**
 * The one formula of all limiters: a period is cut into 60 sub-buckets, numbered from the epoch; a
 * window holds the current one and the 60 before it, the oldest counted whole. Any stretch of time as
 * long as the period touches at most these 61, so none ever holds more than the count.
 */
export const SUB_BUCKETS = 60;

/** What was taken in one sub-bucket. */
export interface BucketUse {
  readonly bucket: number;
  readonly used: number;
}

/** What was taken from one counter, the earliest sub-bucket first. */
export type Uses = readonly BucketUse[];

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

/** What stores answer with, as the formula reads it: in order. */
export function inOrder(uses: BucketUse[]): Uses {
  return uses.sort((a, b) => a.bucket - b.bucket);
}

/** How many are taken in the window that ends now. Ahead of now counts too: clocks differ. */
export function usedIn(uses: Uses, now: number, periodMs: number): number {
  const first = firstCounted(now, periodMs);
  let sum = 0;
  for (const { bucket, used } of uses) if (bucket >= first) sum += used;
  return sum;
}

/** The sub-bucket with which so many units at least are out of the window. */
function bucketFreeing(units: number, uses: Uses, first: number): number | undefined {
  let left = units;
  for (const { bucket, used } of uses) {
    if (bucket < first) continue;
    left -= used;
    if (left <= 0) return bucket;
  }
  return undefined;
}

/** Seconds, whole and at least 1, until a sub-bucket no longer counts: until the one 61 after it begins. */
function secondsUntilOut(bucket: number, now: number, periodMs: number): number {
  const out = startOf(bucket + SUB_BUCKETS + 1, periodMs);
  return Math.max(1, Math.ceil((out - now) / 1_000));
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
  readonly uses: Uses;
}

/**
 * The answer to demands that are taken all together or not at all. `now` is the store's, the one that
 * it has counted by.
 */
export function answerOf(readings: readonly Reading[], now: number): Omit<Taken, 'receipt'> {
  const refusing = readings.filter(({ demand, uses }) => leftAfter(demand, uses, now) < 0);
  const limits =
    refusing.length === 0
      ? readings.map(({ demand, uses }) => limitAfter(demand, uses, now))
      : refusing.map(({ demand, uses }) => limitReached(demand, uses, now));
  const [first, ...others] = limits;
  if (first === undefined) return { allowed: true, refused: [] };

  const tightest = others.reduce(tighterOf, first);
  if (refusing.length === 0) return { allowed: true, refused: [], tightest };
  const refused = [...new Set(refusing.map(({ demand }) => demand.ruleId))];
  return { allowed: false, refused, tightest, retryAfter: tightest.reset };
}

/** How many units are left once one more is taken; below 0, as many must free before. */
function leftAfter({ count, periodMs }: Demand, uses: Uses, now: number): number {
  return count - usedIn(uses, now, periodMs) - 1;
}

/** Where a limit stands once one unit more was taken from it: in the sub-bucket of now. */
function limitAfter(demand: Demand, uses: Uses, now: number): TightestLimit {
  const { count, periodMs, ruleId } = demand;
  const here = bucketAt(now, periodMs);
  const oldest = bucketFreeing(1, uses, firstCounted(now, periodMs)) ?? here;
  return {
    limit: count,
    remaining: leftAfter(demand, uses, now),
    reset: secondsUntilOut(Math.min(oldest, here), now, periodMs),
    ruleId,
  };
}

/** Where a limit stands that is reached, or is passed since it was lowered. */
function limitReached(demand: Demand, uses: Uses, now: number): TightestLimit {
  const { count, periodMs, ruleId } = demand;
  const wanted = -leftAfter(demand, uses, now);
  const last = bucketFreeing(wanted, uses, firstCounted(now, periodMs));
  // What is used up was used in some sub-bucket.
  const reset = secondsUntilOut(last ?? bucketAt(now, periodMs), now, periodMs);
  return { limit: count, remaining: 0, reset, ruleId };
}

/** The one that leaves less, or as much for longer. */
function tighterOf(a: TightestLimit, b: TightestLimit): TightestLimit {
  const difference = a.remaining - b.remaining || b.reset - a.reset;
  return difference <= 0 ? a : b;
}
