import type { Clock } from '../platform/clock.js';
import type { RedisClient } from '../platform/redis.js';
import {
  type Demand,
  type Limiter,
  NOTHING_TAKEN,
  type Receipt,
  storedName,
  type Taken,
} from './limiter.js';
import {
  answerOf,
  type BucketUse,
  inOrder,
  joined,
  type Reading,
  type Spent,
  type Uses,
} from './sliding-window.js';

/**
 * The formula of `sliding-window.ts`. A counter is a hash: number of the sub-bucket → taken in it.
 * ARGV: 1 to spend, the time (-1: this Redis's), then period and count for each key. Answers with the
 * time and, for each key, what was in it before.
 */
const TAKE = `
local now = tonumber(ARGV[2])
if now < 0 then
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
local found = {}
local allowed = true
for i, key in ipairs(KEYS) do
  local first = math.floor(now * 60 / tonumber(ARGV[1 + 2 * i])) - 60
  local uses = redis.call('HGETALL', key)
  local total = 0
  for j = 1, #uses, 2 do
    if tonumber(uses[j]) >= first then total = total + tonumber(uses[j + 1]) end
  end
  if total >= tonumber(ARGV[2 + 2 * i]) then allowed = false end
  found[i] = uses
end
if allowed and ARGV[1] == '1' then
  for i, key in ipairs(KEYS) do
    local period = tonumber(ARGV[1 + 2 * i])
    local bucket = math.floor(now * 60 / period)
    for j = 1, #found[i], 2 do
      if tonumber(found[i][j]) < bucket - 60 then redis.call('HDEL', key, found[i][j]) end
    end
    redis.call('HINCRBY', key, string.format('%.0f', bucket), 1)
    -- A minute longer than it counts, should the clock be set back.
    redis.call('PEXPIRE', key, math.ceil(period * 62 / 60) + 60000)
  end
end
return {now, found}
`;

/** ARGV: for each key the sub-bucket to give one back to. */
const GIVE_BACK = `
for i, key in ipairs(KEYS) do
  local used = tonumber(redis.call('HGET', key, ARGV[i]) or '0')
  if used > 1 then
    redis.call('HINCRBY', key, ARGV[i], -1)
  elseif used == 1 then
    redis.call('HDEL', key, ARGV[i])
  end
end
return 1
`;

/** ARGV: for each key the period and how many sub-buckets follow, each with the units taken in it. */
const ADD = `
local at = 1
for _, key in ipairs(KEYS) do
  local last = at + 2 * tonumber(ARGV[at + 1])
  for i = at + 2, last, 2 do redis.call('HINCRBY', key, ARGV[i], ARGV[i + 1]) end
  redis.call('PEXPIRE', key, math.ceil(tonumber(ARGV[at]) * 62 / 60) + 60000)
  at = last + 2
end
return 1
`;

/** The commands, once they are defined: the number of keys, the keys, the arguments. */
type Script<Reply> = (keys: number, ...rest: (string | number)[]) => Promise<Reply>;
interface Commands {
  countersignTakeLimits: Script<[now: number, found: string[][]]>;
  countersignGiveBackLimits: Script<number>;
  countersignAddToLimits: Script<number>;
}

/** A limiter that other servers count in too. */
export interface SharedLimiter extends Limiter {
  /** Counts in what was taken elsewhere from counters of one tenant, whatever the limits say. */
  add(spent: readonly Spent[]): Promise<void>;
}

/**
 * Told what is in the counters that were asked for, what was taken just now included, at which time,
 * and in how many milliseconds that was answered.
 */
export type OnRead = (readings: readonly Reading[], now: number, took: number) => void;

interface Options {
  readonly redis: RedisClient;
  /** The clock of Redis unless one is given. */
  readonly clock?: Clock;
  /** What the names of all counters begin with. */
  readonly prefix?: string;
  readonly onRead?: OnRead;
}

/** Counts in Redis: one script for a check, exact however many servers ask. */
class RedisLimiter implements SharedLimiter {
  readonly #redis: Commands;
  readonly #clock: Clock | undefined;
  readonly #prefix: string;
  readonly #onRead: OnRead | undefined;

  constructor({ redis, clock, prefix = 'countersign:limit:', onRead }: Options) {
    redis.defineCommand('countersignTakeLimits', { lua: TAKE });
    redis.defineCommand('countersignGiveBackLimits', { lua: GIVE_BACK });
    redis.defineCommand('countersignAddToLimits', { lua: ADD });
    // `defineCommand` adds methods that the client's type does not know of.
    this.#redis = redis as unknown as Commands;
    this.#clock = clock;
    this.#prefix = prefix;
    this.#onRead = onRead;
  }

  async take(demands: readonly Demand[]): Promise<Taken> {
    return this.#ask(demands, true);
  }

  async peek(demands: readonly Demand[]): Promise<Taken> {
    return this.#ask(demands, false);
  }

  async giveBack(receipt: Receipt): Promise<void> {
    if (receipt.length === 0) return;
    await this.#redis.countersignGiveBackLimits(
      receipt.length,
      ...receipt.map((entry) => this.#keyOf(entry)),
      ...receipt.map(({ bucket }) => bucket),
    );
  }

  async add(spent: readonly Spent[]): Promise<void> {
    if (spent.length === 0) return;
    await this.#redis.countersignAddToLimits(
      spent.length,
      ...spent.map((entry) => this.#keyOf(entry)),
      ...spent.flatMap(({ periodMs, uses }) => [
        periodMs,
        uses.length,
        ...uses.flatMap(({ bucket, used }) => [bucket, used]),
      ]),
    );
  }

  async #ask(demands: readonly Demand[], spend: boolean): Promise<Taken> {
    if (demands.length === 0) return NOTHING_TAKEN;
    const asked = performance.now();
    const [now, found] = await this.#redis.countersignTakeLimits(
      demands.length,
      ...demands.map((demand) => this.#keyOf(demand)),
      spend ? 1 : 0,
      this.#clock?.now() ?? -1,
      ...demands.flatMap(({ periodMs, count }) => [periodMs, count]),
    );
    const readings = demands.map((demand, index) => ({ demand, uses: usesIn(found[index] ?? []) }));
    const taken = answerOf(readings, now, spend);
    this.#onRead?.(withTaken(readings, taken.receipt), now, performance.now() - asked);
    return taken;
  }

  /** The tenant in braces keeps the counters of a check on one node of a cluster. */
  #keyOf({ tenant, counter }: { readonly tenant: string; readonly counter: string }): string {
    return `${this.#prefix}{${tenant}}:${storedName(counter)}`;
  }
}

function withTaken(readings: readonly Reading[], receipt: Receipt): readonly Reading[] {
  if (receipt.length === 0) return readings;
  return readings.map(({ demand, uses }, index) => {
    const bucket = receipt[index]?.bucket;
    return { demand, uses: bucket === undefined ? uses : joined(uses, [{ bucket, used: 1 }]) };
  });
}

/** The fields of a hash and their values, one after the other, in no order. */
function usesIn(flat: readonly string[]): Uses {
  const uses: BucketUse[] = [];
  for (let i = 0; i + 1 < flat.length; i += 2) {
    uses.push({ bucket: Number(flat[i]), used: Number(flat[i + 1]) });
  }
  return inOrder(uses);
}

/** A limiter whose counters are shared by all servers of a Redis. */
export function createRedisLimiter(options: Options): SharedLimiter {
  return new RedisLimiter(options);
}
