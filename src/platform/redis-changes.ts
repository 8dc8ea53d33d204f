import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { type ChangeListener, keepListening, type StopListening } from './keep-listening.js';
import { withinTime } from './later.js';
import { subscribers } from './redis.js';

/** Where servers on one Redis tell each other of changes; a channel belongs to no numbered database. */
export const REDIS_CHANNEL = 'countersign:changes';

/** Milliseconds after which the other side is asked whether it is there, and may take to say so. */
const SILENCE = 2_000;

const SILENT = Symbol('silent');

/** Who wants to know of changes from Redis. */
export interface RedisListener extends ChangeListener {
  /** As `parseRedisUrl` takes it. */
  readonly url: string;
  /** `REDIS_CHANNEL` unless given. */
  readonly channel?: string;
  /** Milliseconds, see above; 2,000 unless given. */
  readonly silence?: number;
}

/**
 * Subscribes to what servers tell each other of changes, on a connection of its own, which is made
 * anew for ever; each new one begins with a subscription that Redis has confirmed. Resolves once it
 * is subscribed, or has failed for the first time.
 */
export function listenOnRedis(listener: RedisListener): Promise<StopListening> {
  const open = subscribers(listener.url);
  return keepListening(
    'redis',
    (stopping, opened, attempt) => listenUntilLost(open(attempt), listener, stopping, opened),
    listener,
  );
}

async function listenUntilLost(
  redis: Redis,
  { channel = REDIS_CHANNEL, silence = SILENCE, onMessage }: RedisListener,
  stopping: AbortSignal,
  opened: () => void,
): Promise<void> {
  const over = new AbortController();
  let stop = (): void => {};
  const lost = new Promise<void>((resolve, reject) => {
    redis.on('error', reject);
    redis.on('end', () => reject(new Error('the connection ended')));
    stop = resolve;
  });
  stopping.addEventListener('abort', stop, { once: true });
  lost.catch(() => undefined);
  redis.on('message', (_channel, text) => onMessage(text));
  try {
    const subscribed = redis.connect().then(() => redis.subscribe(channel));
    await Promise.race([unlessSilent(subscribed, silence), lost]);
    if (stopping.aborted) return;
    opened();
    await Promise.race([askWhetherThere(redis, silence, over.signal), lost]);
  } finally {
    over.abort();
    stopping.removeEventListener('abort', stop);
    redis.disconnect();
  }
}

/** Asks again and again: a peer that went silent shows it by nothing else. Rejects where it is. */
async function askWhetherThere(redis: Redis, silence: number, over: AbortSignal): Promise<never> {
  for (;;) {
    await delay(silence, undefined, { signal: over, ref: false });
    await unlessSilent(redis.ping(), silence);
  }
}

async function unlessSilent(answer: Promise<unknown>, time: number): Promise<void> {
  if ((await withinTime(answer, time, SILENT)) === SILENT) throw new Error('Redis says nothing');
}
