import { randomUUID } from 'node:crypto';
import type { Logger } from './log.js';
import type { RedisClient } from './redis.js';
import { repeat } from './repeat.js';

/** Milliseconds between two calls of a server, and after the last one until it no longer counts. */
const CALL_EVERY = 5_000;
const COUNTS_FOR = 3 * CALL_EVERY;

/** Counts that are remembered: the highest of them holds, as a Redis that began anew knows few servers. */
const REMEMBERED = 3;

const ROLL = 'countersign:servers';

/**
 * By the clock of Redis, so that those of the servers need not agree. ARGV: id, how long it counts.
 * Answers with how many there are, and how many of them have a lesser id.
 */
const CALL = `
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[2]))
redis.call('PEXPIRE', KEYS[1], tonumber(ARGV[2]))
local ids = redis.call('ZRANGE', KEYS[1], 0, -1)
local before = 0
for _, id in ipairs(ids) do
  if id < ARGV[1] then before = before + 1 end
end
return {#ids, before}
`;

interface Commands {
  countersignCallServers(
    keys: 1,
    roll: string,
    id: string,
    countsFor: number,
  ): Promise<[count: number, place: number]>;
}

/** One of several servers. */
export interface Standing {
  /** How many there are, this one among them. */
  readonly count: number;
  /** Which of them this one is, from 0: each another, where all have seen the same servers. */
  readonly place: number;
}

const ALONE: Standing = { count: 1, place: 0 };

/** The servers that share a Redis; a worker is one. */
export interface ServerRoll {
  /** How it was when Redis last answered; alone where it never did. */
  readonly standing: Standing;
  /** Says that this server is there, and counts; also done every few seconds. */
  call(): Promise<void>;
  /** Says no more, and that this server is gone, should Redis hear it. */
  leave(): Promise<void>;
}

/**
 * Enters this server into the roll that Redis keeps: each server calls every 5 seconds and counts for
 * 15. The highest of the latest three counts holds.
 */
export function enterRoll(
  redis: RedisClient,
  log: Pick<Logger, 'warn'>,
  { roll = ROLL }: { readonly roll?: string } = {},
): ServerRoll {
  redis.defineCommand('countersignCallServers', { lua: CALL });
  // `defineCommand` adds a method that the client's type does not know of.
  const commands = redis as unknown as Commands;
  const id = randomUUID();
  let latest: readonly Standing[] = [];
  const call = async (): Promise<void> => {
    const told = await commands
      .countersignCallServers(1, roll, id, COUNTS_FOR)
      .catch(() => undefined);
    // While Redis is away, which is logged elsewhere, the last counts hold.
    if (told === undefined) return;
    const [count, place] = told;
    latest = [{ count, place }, ...latest.slice(0, REMEMBERED - 1)];
  };
  const calling = repeat('counting servers', CALL_EVERY, call, log);
  redis.on('ready', calling.soon);
  return {
    get standing() {
      return latest.reduce(
        (most, one) => (one.count > most.count ? one : most),
        latest[0] ?? ALONE,
      );
    },
    call,
    async leave() {
      redis.off('ready', calling.soon);
      await calling.stop();
      await redis.zrem(roll, id).catch(() => undefined);
    },
  };
}
