import { Unavailable } from '../errors.js';
import type { Breaker } from '../platform/breaker.js';
import type { Eventual } from '../platform/eventual.js';
import { isStoreFailure } from '../platform/store-failure.js';
import { type Demand, type Limiter, NOTHING_TAKEN, type Receipt, type Taken } from './limiter.js';

/**
 * What becomes of rate limits while Redis does not answer. `local`: this process counts for itself,
 * its share of each count. `deny`: no such check is answered. `allow`: they are not counted.
 */
export const ON_REDIS_LOSS = ['local', 'deny', 'allow'] as const;
export type OnRedisLoss = (typeof ON_REDIS_LOSS)[number];

/** What the limiter is made of. */
export interface RedisLossOptions {
  /** Counts in Redis. */
  readonly shared: Limiter;
  /** Counts in this process, for `local`. */
  readonly local: Limiter;
  readonly onLoss: OnRedisLoss;
  readonly breaker: Breaker;
  /** How many servers share the limits; at least 1. */
  servers(): number;
  /** Told of each check whose limits were not counted in Redis. */
  onUncounted?(how: OnRedisLoss): void;
  /** Milliseconds that Redis has, all tries of a client for a cluster included; 50 unless given. */
  readonly patience?: number;
}

const PATIENCE = 50;

/** Counts in Redis while that answers, and does without as it is told to. */
class RedisLossLimiter implements Limiter {
  readonly #options: RedisLossOptions;
  /** Redis knows nothing of these. */
  readonly #takenHere = new WeakSet<Receipt>();

  constructor(options: RedisLossOptions) {
    this.#options = options;
  }

  take(demands: readonly Demand[]): Eventual<Taken> {
    return this.#count('take', demands);
  }

  peek(demands: readonly Demand[]): Eventual<Taken> {
    return this.#count('peek', demands);
  }

  async giveBack(receipt: Receipt): Promise<void> {
    const { local, shared, breaker } = this.#options;
    if (receipt.length === 0) return;
    if (this.#takenHere.has(receipt)) return local.giveBack(receipt);
    if (breaker.admits()) await this.#ask(shared.giveBack(receipt));
  }

  #count(call: 'take' | 'peek', demands: readonly Demand[]): Eventual<Taken> {
    if (demands.length === 0) return NOTHING_TAKEN;
    const { shared, breaker } = this.#options;
    if (!breaker.admits()) return this.#countHere(call, demands);
    return this.#ask(shared[call](demands)).catch((error: unknown) => {
      if (!isStoreFailure(error)) throw error;
      // What Redis may have taken all the same is lost until its window is over, and nothing else.
      return this.#countHere(call, demands);
    });
  }

  async #ask<Result>(answer: Eventual<Result>): Promise<Result> {
    const { breaker, patience = PATIENCE } = this.#options;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('Command timed out')), patience);
    });
    try {
      const result = await Promise.race([answer, late]);
      breaker.succeeded();
      return result;
    } catch (error) {
      if (isStoreFailure(error)) breaker.failed();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  #countHere(call: 'take' | 'peek', demands: readonly Demand[]): Eventual<Taken> {
    const { local, onLoss, servers, onUncounted } = this.#options;
    onUncounted?.(onLoss);
    if (onLoss === 'allow') return NOTHING_TAKEN;
    if (onLoss === 'deny') {
      throw new Unavailable('rate limits cannot be counted: Redis does not answer; try again');
    }
    const taken = local[call](demands.map((demand) => shareOf(demand, servers())));
    if (!(taken instanceof Promise)) return this.#note(taken);
    return taken.then((late) => this.#note(late));
  }

  #note(taken: Taken): Taken {
    if (taken.receipt.length > 0) this.#takenHere.add(taken.receipt);
    return taken;
  }
}

/** What one of so many servers may take; of a count of at least 1 at least 1. */
function shareOf(demand: Demand, servers: number): Demand {
  return { ...demand, count: Math.ceil(demand.count / Math.max(1, servers)) };
}

/**
 * A limiter that counts in Redis, and does as `onLoss` says for each check that Redis does not answer
 * within 50 ms. It throws `Unavailable` with `deny`. It asks Redis again as soon as the breaker lets it.
 */
export function createRedisLossLimiter(options: RedisLossOptions): Limiter {
  return new RedisLossLimiter(options);
}
