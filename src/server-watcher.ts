import { listenForChanges } from './platform/change-listener.js';
import { latestRevision } from './platform/change-log.js';
import { type ChangeWatcher, createChangeWatcher, type Way } from './platform/change-watcher.js';
import type { ChangeListener } from './platform/keep-listening.js';
import type { Logger } from './platform/log.js';
import type { Metrics } from './platform/metrics.js';
import type { CurrentPolicy } from './policy/current-policy.js';
import type { Closer } from './closers.js';
import type { Stores } from './server-stores.js';

/** Whom the watcher works for. */
interface Watched {
  readonly stores: Stores;
  readonly current: CurrentPolicy;
  readonly metrics: Metrics;
  readonly log: Logger;
}

/**
 * Has the policy read what other servers changed as soon as they say so: by Postgres always, by Redis
 * too where there is one. Either way alone is enough, and `current` looks by itself where both fail.
 */
export async function openWatcher(
  redisUrl: string | undefined,
  { stores: { url, following, redis, roll }, current, metrics, log }: Watched,
  closers: Closer[],
): Promise<ChangeWatcher> {
  // A server without Redis starts faster without its client.
  const changes = redisUrl === undefined ? undefined : await import('./platform/redis-changes.js');
  const watcher = createChangeWatcher({
    revision: () => current.snapshot.revision,
    latestRevision: () => latestRevision(following),
    counted: (way, outcome) => metrics.changeMessages.inc({ way, outcome }),
    ...(redis && changes && { publish: (text) => redis.publish(changes.REDIS_CHANNEL, text) }),
  });
  // What fails is logged, and tried again, where it happens. Rules that take long to read are not
  // waited for: the next message may be of a key.
  watcher.setUpdateCallback(() => current.catchUpKeys().catch(() => undefined));
  closers.push(() => watcher.close());
  const listener = (way: Way): ChangeListener => ({
    onMessage: (text) => watcher.heard(way, text),
    onOpen: () => watcher.opened(),
    log,
  });
  const countServers = roll && (() => roll.callSoon());
  const fromPostgres = listener('postgres');
  const listening = await Promise.all([
    listenForChanges({
      url,
      ...fromPostgres,
      onOpen: () => {
        fromPostgres.onOpen();
        // One may have come that nobody heard of.
        countServers?.();
      },
      ...(countServers && { onServer: countServers }),
    }),
    ...(redisUrl && changes
      ? [changes.listenOnRedis({ url: redisUrl, ...listener('redis') })]
      : []),
  ]);
  for (const stop of listening) closers.push(stop);
  return watcher;
}
