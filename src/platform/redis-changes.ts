import type { Redis } from 'ioredis';
import { type ChangeListener, keepListening, type StopListening } from './keep-listening.js';
import { openSubscriber } from './redis.js';

/** Where servers on one Redis tell each other of changes; a channel belongs to no numbered database. */
export const REDIS_CHANNEL = 'countersign:changes';

/** Milliseconds after which the other side is asked whether it is there, and may take to say so. */
const SILENCE = 2_000;

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
  const { url, silence = SILENCE } = listener;
  return keepListening(
    'redis',
    (stopping, opened, attempt) =>
      listenUntilLost(openSubscriber(url, attempt, silence), listener, stopping, opened),
    listener,
  );
}

async function listenUntilLost(
  redis: Redis,
  { channel = REDIS_CHANNEL, silence = SILENCE, onMessage }: RedisListener,
  stopping: AbortSignal,
  opened: () => void,
): Promise<void> {
  let asking: NodeJS.Timeout | undefined;
  let stop = (): void => {};
  const lost = new Promise<void>((resolve, reject) => {
    redis.on('error', reject);
    redis.on('end', () => reject(new Error('the connection ended')));
    stop = resolve;
    // A peer that went silent sends nothing that would show it.
    asking = setInterval(() => void redis.ping().catch(reject), silence).unref();
  });
  stopping.addEventListener('abort', stop, { once: true });
  lost.catch(() => undefined);
  redis.on('message', (_channel, text) => onMessage(text));
  try {
    await Promise.race([redis.connect().then(() => redis.subscribe(channel)), lost]);
    if (stopping.aborted) return;
    opened();
    await lost;
  } finally {
    clearInterval(asking);
    stopping.removeEventListener('abort', stop);
    redis.disconnect();
  }
}
