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

/** By the clock of Redis, so that those of the servers need not agree. ARGV: id, how long it counts. */
const CALL = `
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[2]))
redis.call('PEXPIRE', KEYS[1], tonumber(ARGV[2]))
return redis.call('ZCARD', KEYS[1])
`;

interface Commands {
  countersignCallServers(keys: 1, roll: string, id: string, countsFor: number): Promise<number>;
}

/** The servers that share a Redis; a worker is one. */
export interface ServerRoll {
  /** How many there were when Redis last answered, this one among them; 1 where it never did. */
  readonly count: number;
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
  let counts: readonly number[] = [];
  const call = async (): Promise<void> => {
    const count = await commands.countersignCallServers(1, roll, id, COUNTS_FOR).catch(() => 0);
    // While Redis is away, which is logged elsewhere, the last counts hold.
    if (count > 0) counts = [...counts.slice(1 - REMEMBERED), count];
  };
  const calling = repeat('counting servers', CALL_EVERY, call, log);
  redis.on('ready', calling.soon);
  return {
    get count() {
      return Math.max(1, ...counts);
    },
    call,
    async leave() {
      redis.off('ready', calling.soon);
      await calling.stop();
      await redis.zrem(roll, id).catch(() => undefined);
    },
  };
}
