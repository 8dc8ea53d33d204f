import { Unavailable } from '../errors.js';
import { type Clock, systemClock } from '../platform/clock.js';
import type { Eventual } from '../platform/eventual.js';
import { withinTime } from '../platform/later.js';
import { PartBreakers } from '../platform/part-breakers.js';
import type { Standing } from '../platform/server-roll.js';
import { isStoreFailure } from '../platform/store-failure.js';
import { HeardCounts } from './heard-counts.js';
import { type Demand, type Limiter, NOTHING_TAKEN, type Receipt, type Taken } from './limiter.js';
import { OwedCounts } from './owed-counts.js';
import type { OnRead, SharedLimiter } from './redis-limiter.js';
import type { Reading } from './sliding-window.js';

/**
 * What becomes of rate limits while Redis is away. `local`: this process counts for itself, its share of
 * what was left of each. `deny`: no such check is answered. `allow`: they are not counted.
 */
export const ON_REDIS_LOSS = ['local', 'deny', 'allow'] as const;
export type OnRedisLoss = (typeof ON_REDIS_LOSS)[number];

/** What became of a check whose limits were not counted in Redis in time; `late`: 503, it is not away. */
export type Uncounted = OnRedisLoss | 'late';

/** What the limiter is made of. */
export interface RedisLossOptions {
  /** Opens what counts in Redis, and tells of what it reads there. */
  openShared(onRead: OnRead): SharedLimiter;
  readonly onLoss: OnRedisLoss;
  /** The part of the store that has a tenant's counters, which may be away by itself; one unless given. */
  partOf?(tenant: string): string;
  /** This server among those that share the limits. */
  standing(): Standing;
  /** Told of each check whose limits were not counted in Redis in time. */
  onUncounted?(how: Uncounted): void;
  /** Told when Redis, or a part of it, is late so often that it is given a rest, and when none is any more. */
  onBreaker?(isOpen: boolean): void;
  /** Milliseconds that Redis has, all tries of a client for a cluster included; 50 unless given. */
  readonly patience?: number;
  /** The machine's own unless given. */
  readonly clock?: Clock;
  /** For distances alone; one that is never set back unless given. */
  readonly steadyClock?: Clock;
}

/** A limiter that does without Redis for a while. */
export interface RedisLossLimiter extends Limiter {
  /** There is a connection again: tells Redis what was counted without it; never rejects. */
  returned(): Promise<void>;
}

type Call = 'take' | 'peek';

const PATIENCE = 50;

/**
 * When nobody waits for Redis any more: it was late so often in a row, for so many milliseconds. For as
 * long as it rests then one check tries it, and one more after each answer that came too late.
 */
const WORN_OUT = { failures: 5, spell: 500, pause: 100 };

/** Parts of the store that are remembered as away, at most. */
const MOST_AWAY = 10_000;

/**
 * Milliseconds after a loss in which all servers find Redis again, and tell it what they took: longer than
 * the longest pause between two tries to connect.
 */
const RETURNING = 3_000;

const TIME_UP = Symbol('time up');

/** Redis has some left, and it may be what others took and did not tell yet. */
const BEYOND_SHARE = Symbol('beyond the share');

/** Counts in Redis while that answers, and does without as it is told to. */
class Limits implements RedisLossLimiter {
  readonly #options: RedisLossOptions;
  readonly #clock: Clock;
  readonly #heard: HeardCounts;
  readonly #shared: SharedLimiter;
  readonly #owed: OwedCounts;
  readonly #breakers: PartBreakers;
  /** The parts of Redis that were away when they were last asked. */
  readonly #away = new Set<string>();
  /** Until when other servers may still have to tell Redis what they took. */
  #returningUntil = Number.NEGATIVE_INFINITY;

  constructor(options: RedisLossOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#heard = new HeardCounts(this.#clock);
    this.#shared = options.openShared((...read) => this.#hear(...read));
    this.#owed = new OwedCounts(this.#shared, this.#heard);
    this.#breakers = new PartBreakers({
      ...WORN_OUT,
      ...(options.steadyClock && { clock: options.steadyClock }),
      ...(options.onBreaker && { onChange: options.onBreaker }),
    });
  }

  take(demands: readonly Demand[]): Eventual<Taken> {
    return this.#count('take', demands);
  }

  peek(demands: readonly Demand[]): Eventual<Taken> {
    return this.#count('peek', demands);
  }

  async giveBack(receipt: Receipt): Promise<void> {
    if (receipt.length === 0) return;
    const { patience = PATIENCE } = this.#options;
    // What is late is done all the same, or its connection is lost; nobody waits for that.
    await withinTime(this.#owed.giveBack(receipt), patience, undefined);
  }

  returned(): Promise<void> {
    this.#away.clear();
    this.#returningUntil = this.#clock.now() + RETURNING;
    return this.#owed.tellAll();
  }

  #count(call: Call, demands: readonly Demand[]): Eventual<Taken> {
    if (demands.length === 0) return NOTHING_TAKEN;
    if (!this.#breakers.admits(this.#partOf(demands))) return this.#answerLate();
    return this.#countInTime(call, demands);
  }

  async #countInTime(call: Call, demands: readonly Demand[]): Promise<Taken> {
    const part = this.#partOf(demands);
    const answer = this.#countThere(call, demands);
    try {
      const taken = await withinTime(answer, this.#options.patience ?? PATIENCE, TIME_UP);
      if (taken !== TIME_UP) {
        this.#breakers.succeeded(part);
        return taken === BEYOND_SHARE ? this.#answerLate() : taken;
      }
    } catch (error) {
      // Whatever is wrong with it, Redis keeps nobody waiting.
      this.#breakers.succeeded(part);
      if (!isStoreFailure(error)) throw error;
      if (this.#away.size < MOST_AWAY) this.#away.add(part);
      return this.#countHere(call, demands);
    }
    this.#breakers.failed(part);
    void this.#undoLate(answer).then(() => this.#breakers.spoke(part));
    return this.#answerLate();
  }

  /** In Redis, which is told first what was taken here of the same limits. */
  async #countThere(call: Call, demands: readonly Demand[]): Promise<Taken | typeof BEYOND_SHARE> {
    const telling = this.#owed.tell(demands);
    // Sent at once where it can be: this process may be busy in a moment.
    if (telling !== undefined) await telling;
    const taken = await (this.#isReturning(this.#partOf(demands))
      ? this.#askSparingly(call, demands)
      : this.#ask(call, demands));
    void this.#owed.tellAll();
    return taken;
  }

  async #ask(call: Call, demands: readonly Demand[]): Promise<Taken> {
    const taken = await this.#shared[call](demands);
    if (this.#away.has(this.#partOf(demands))) void this.returned();
    return taken;
  }

  /** While others may not have told Redis yet what they took: no more than the share, there too. */
  async #askSparingly(
    call: Call,
    demands: readonly Demand[],
  ): Promise<Taken | typeof BEYOND_SHARE> {
    const shares = this.#sharesOf(demands);
    const reserved = call === 'take' ? this.#owed.reserve(shares) : this.#owed.peek(shares);
    if (!reserved.allowed) {
      const seen = await this.#ask('peek', demands);
      return seen.allowed ? BEYOND_SHARE : seen;
    }
    let isTaken = false;
    try {
      const taken = await this.#ask(call, demands);
      isTaken = taken.allowed;
      return taken;
    } finally {
      if (!isTaken) this.#owed.release(reserved);
    }
  }

  /** What Redis took for a check that is answered already goes back, unless that was allowed. */
  async #undoLate(answer: Promise<Taken | typeof BEYOND_SHARE>): Promise<void> {
    try {
      const taken = await answer;
      if (taken === BEYOND_SHARE || this.#options.onLoss === 'allow') return;
      await this.#owed.giveBack(taken.receipt);
    } catch {
      // Its connection was lost. If Redis took it nobody knows, and it stays counted.
    }
  }

  #answerLate(): Taken {
    const { onLoss, onUncounted } = this.#options;
    onUncounted?.(onLoss === 'allow' ? onLoss : 'late');
    if (onLoss === 'allow') return NOTHING_TAKEN;
    throw new Unavailable('rate limits cannot be counted in time; try again');
  }

  #countHere(call: Call, demands: readonly Demand[]): Taken {
    const { onLoss, onUncounted } = this.#options;
    onUncounted?.(onLoss);
    if (onLoss === 'allow') return NOTHING_TAKEN;
    if (onLoss === 'deny') {
      throw new Unavailable('rate limits cannot be counted: Redis is away; try again');
    }
    return this.#owed[call](this.#sharesOf(demands));
  }

  /**
   * What this server may take of what was left of each limit. The shares of all servers are what was
   * left, where all have heard the same: the first ones have one more where it cannot be divided.
   */
  #sharesOf(demands: readonly Demand[]): readonly Demand[] {
    const { count: servers, place } = this.#options.standing();
    return demands.map((demand) => {
      const left = this.#heard.leftOf(demand);
      return { ...demand, count: Math.floor((left + servers - 1 - place) / servers) };
    });
  }

  /** Only `local` has shares that are to be kept to. */
  #isReturning(part: string): boolean {
    if (this.#options.onLoss !== 'local') return false;
    return this.#away.has(part) || this.#clock.now() < this.#returningUntil;
  }

  /** Of the counters of one check, which are of one tenant. */
  #partOf([first]: readonly Demand[]): string {
    return this.#options.partOf?.(first?.tenant ?? '') ?? '';
  }

  /** Shares are of what was left before the loss: what is there meanwhile is not all. */
  #hear(readings: readonly Reading[], now: number, took: number): void {
    this.#heard.setTime(now, took);
    if (this.#isReturning(this.#partOf(readings.map(({ demand }) => demand)))) return;
    for (const { demand, uses } of readings) {
      this.#heard.remember(demand.counter, uses);
      this.#owed.forget(demand.counter);
    }
  }
}

/**
 * A limiter that counts in Redis, and never more than a limit while Redis answers, however late: a check
 * that Redis does not answer within 50 ms gets `Unavailable`, and what it had taken goes back. After a
 * few of those nobody waits so long until it answers again. While
 * there is no connection, or Redis refuses, it does as `onLoss` says, and tells Redis of it afterwards.
 */
export function createRedisLossLimiter(options: RedisLossOptions): RedisLossLimiter {
  return new Limits(options);
}
