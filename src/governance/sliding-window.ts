import {
  type Demand,
  NOTHING_TAKEN,
  type Receipt,
  type Taken,
  type TightestLimit,
} from './limiter.js';

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

/** What was taken from one counter, and all that another store needs to count it. */
export interface Spent {
  readonly tenant: string;
  readonly counter: string;
  readonly periodMs: number;
  readonly uses: Uses;
}

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

/** Both together. */
export function joined(a: Uses, b: Uses): Uses {
  const units = new Map<number, number>();
  for (const { bucket, used } of [...a, ...b]) units.set(bucket, (units.get(bucket) ?? 0) + used);
  return inOrder([...units].map(([bucket, used]) => ({ bucket, used })));
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

/** What a store found for one demand, before anything was taken. */
export interface Reading {
  readonly demand: Demand;
  readonly uses: Uses;
}

/**
 * The answer to demands that are taken all together or not at all: what comes of it if they are taken
 * where that is allowed, and `spend` says so. `now` is the store's, the one that it has counted by.
 */
export function answerOf(readings: readonly Reading[], now: number, spend: boolean): Taken {
  let tightest: TightestLimit | undefined;
  for (const reading of readings) {
    const left = leftAfter(reading, now);
    if (left < 0) return refusalOf(readings, now);
    tightest = tighterOf(tightest, limitAfter(reading, now, left));
  }
  if (tightest === undefined) return NOTHING_TAKEN;
  const { refused, receipt } = NOTHING_TAKEN;
  return { allowed: true, tightest, refused, receipt: spend ? receiptOf(readings, now) : receipt };
}

/** The answer where one at least has nothing left. */
function refusalOf(readings: readonly Reading[], now: number): Taken {
  const refusing = readings.filter((reading) => leftAfter(reading, now) < 0);
  const tightest = refusing
    .map((reading) => limitReached(reading, now))
    .reduce((tighter, limit) => tighterOf(tighter, limit));
  const refused = [...new Set(refusing.map(({ demand }) => demand.ruleId))];
  return { allowed: false, tightest, retryAfter: tightest.reset, refused, receipt: [] };
}

function receiptOf(readings: readonly Reading[], now: number): Receipt {
  return readings.map(({ demand: { tenant, counter, periodMs } }) => ({
    tenant,
    counter,
    bucket: bucketAt(now, periodMs),
  }));
}

/** How many units are left once one more is taken; below 0, as many must free before. */
function leftAfter({ demand: { count, periodMs }, uses }: Reading, now: number): number {
  return count - usedIn(uses, now, periodMs) - 1;
}

/** Where a limit stands once one unit more was taken from it, which leaves `remaining`. */
function limitAfter({ demand, uses }: Reading, now: number, remaining: number): TightestLimit {
  const { count, periodMs, ruleId } = demand;
  // Where it is taken.
  const here = bucketAt(now, periodMs);
  const oldest = bucketFreeing(1, uses, here - SUB_BUCKETS) ?? here;
  const reset = secondsUntilOut(Math.min(oldest, here), now, periodMs);
  return { limit: count, remaining, reset, ruleId };
}

/** Where a limit stands that is reached, or is passed since it was lowered. */
function limitReached(reading: Reading, now: number): TightestLimit {
  const { count, periodMs, ruleId } = reading.demand;
  const wanted = -leftAfter(reading, now);
  const last = bucketFreeing(wanted, reading.uses, firstCounted(now, periodMs));
  // What is used up was used in some sub-bucket.
  const reset = secondsUntilOut(last ?? bucketAt(now, periodMs), now, periodMs);
  return { limit: count, remaining: 0, reset, ruleId };
}

/** The one that leaves less, or as much for longer. */
function tighterOf(a: TightestLimit | undefined, b: TightestLimit): TightestLimit {
  if (a === undefined) return b;
  const difference = a.remaining - b.remaining || b.reset - a.reset;
  return difference <= 0 ? a : b;
}
