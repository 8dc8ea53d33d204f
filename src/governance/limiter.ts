import type { Eventual } from '../platform/eventual.js';
import { sha256Hex } from '../platform/json.js';

/** One unit of one counter, wanted by a check. */
export interface Demand {
  readonly ruleId: string;
  /** The tenant, which keeps its counters together in a cluster of Redis. */
  readonly tenant: string;
  /** Names the counter: rule, period, tenant and what it counts by. Leaves the process as `storedName`. */
  readonly counter: string;
  readonly periodMs: number;
  /** At most this many in any stretch of time as long as the period. */
  readonly count: number;
}

/** The limit nearest to its end, as the headers and the body of an answer tell it. */
export interface TightestLimit {
  readonly limit: number;
  readonly remaining: number;
  /** Seconds until one more unit frees, at least 1. */
  readonly reset: number;
  readonly ruleId: string;
}

/** What was taken, and in which sub-bucket: all that `giveBack` needs. */
export type Receipt = readonly {
  readonly tenant: string;
  readonly counter: string;
  readonly bucket: number;
}[];

/** What came of the demands of one check. */
export interface Taken {
  readonly allowed: boolean;
  /** Undefined where there were no demands. */
  readonly tightest?: TightestLimit;
  /** Seconds until the check can be asked again with hope, at least 1; where it is refused. */
  readonly retryAfter?: number;
  /** Ids of the rules that refuse. */
  readonly refused: readonly string[];
  /** Empty where nothing was taken. */
  readonly receipt: Receipt;
}

/**
 * Counts. The demands of a check are met all together or not at all, however many servers ask at
 * once. In memory, in Postgres or in Redis; one suite of tests runs against all three. What is in
 * memory answers at once, without a promise.
 */
export interface Limiter {
  take(demands: readonly Demand[]): Eventual<Taken>;
  /** What `take` would answer now; nothing is taken. */
  peek(demands: readonly Demand[]): Eventual<Taken>;
  /** Puts back what was taken, where it was taken. Once for a receipt. */
  giveBack(receipt: Receipt): Promise<void>;
}

/** The answer to no demands at all. */
export const NOTHING_TAKEN: Taken = { allowed: true, refused: [], receipt: [] };

/** What a counter is called in a store outside of this process: nobody can read its ids there. */
export function storedName(counter: string): string {
  return sha256Hex(counter).slice(0, 40);
}
