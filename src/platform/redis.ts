import { setTimeout as delay } from 'node:timers/promises';
import { Cluster, Redis, type RedisOptions } from 'ioredis';
import { withinTime } from './later.js';
import type { Logger } from './log.js';
import { readTlsFiles, type TlsFiles } from './redis-tls.js';
import { parseRedisUrl, type RedisTarget } from './redis-url.js';

/** A connection to one Redis (or the one that Sentinel names), or to a cluster. */
export type RedisClient = Redis | Cluster;

/** ioredis ties the shape of its replies to this option's type, and we leave it alone. */
type Options = Omit<RedisOptions, 'replyMapping'>;

/** A connection that is not made in so many milliseconds is given up, and made anew. */
const CONNECT_TIMEOUT_MS = 2_000;

/** So is one that says nothing for so long. It is asked this often whether it is there. */
const SILENCE_MS = 1_500;
const ASKED_EVERY_MS = 500;

/** A Sentinel says within so many milliseconds where the master is, or the next one is asked. */
const SENTINEL_TIMEOUT_MS = 1_000;

/** What a client of a cluster emits once a node that was away is back, or replaced. */
const NODE_RETURNED = 'node returned';

/** How often a cluster is asked which nodes it has: one that came back is found by this. */
const NODES_EVERY_MS = 2_000;

/** How long to wait before connection number `attempt` is tried again. */
const retryDelay = (attempt: number) => Math.min(50 * 2 ** Math.min(attempt, 6), 2_000);

/** Commands fail at once where there is no connection; none is kept, or sent a second time. */
const NEVER_QUEUE = {
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
} as const;

/**
 * Makes connections for subscriptions alone, not yet opened, and never opened again by themselves: whoever
 * subscribes must know when it begins anew. Of a cluster, where every node hears what any is told, it
 * is one to the node whose turn `attempt` is.
 *
 * @throws Error where the files that the address names cannot be used; later nothing does
 */
export function subscribers(url: string): (attempt: number) => Redis {
  const target = readTarget(url);
  const { addresses, kind } = target;
  return (attempt) => {
    const address = addresses[attempt % addresses.length] ?? addresses[0];
    return openRedis(kind === 'cluster' ? { ...target, addresses: [address] } : target, {
      lazyConnect: true,
      autoResubscribe: false,
      retryStrategy: () => null,
      sentinelRetryStrategy: () => null,
    });
  };
}

/**
 * Connects to Redis, and connects again for ever. A command is answered, or fails with its connection: at
 * once where there is none, within 2 seconds where Redis is silent. Whoever may not wait for so long
 * stops waiting, and the answer still comes. Outages are logged once each.
 *
 * @param url as `parseRedisUrl` takes it
 * @param silence milliseconds, see above; 1,500 unless given
 */
export function connectRedis(
  url: string,
  log: Logger,
  { silence = SILENCE_MS }: { readonly silence?: number } = {},
): RedisClient {
  const target = readTarget(url);
  if (target.kind === 'cluster') {
    const cluster = openCluster(target);
    const outages = new NodeOutages(cluster, log);
    cluster.on('+node', (node: Redis) => {
      giveUpSilent(node, silence);
      outages.watch(node);
      // A node that is not connected yet refuses all commands but the first.
      node.connect().catch(() => undefined);
    });
    return withOutagesLogged(cluster, log);
  }
  const redis = openRedis(target);
  giveUpSilent(redis, silence);
  return withOutagesLogged(redis, log);
}

/**
 * Resolves once there is a connection; of a cluster, one to each node that holds keys and is not away. Also
 * once the first could not be made: there may be none for long.
 */
export async function firstConnected(redis: RedisClient): Promise<void> {
  const isOpen = redis.status === 'ready' || (await openedOrRefused(redis));
  if (isOpen && redis.isCluster) {
    await Promise.all((redis as Cluster).nodes('master').map(openedOrEnded));
  }
}

/** Calls back whenever Redis, or a node of a cluster, can be reached again. */
export function onReturn(redis: RedisClient, returned: () => void): void {
  redis.on('ready', returned);
  redis.on(NODE_RETURNED, returned);
}

/** Whether it was opened. */
function openedOrRefused(redis: RedisClient): Promise<boolean> {
  return new Promise((resolve) => {
    redis.once('ready', () => resolve(true));
    redis.once('error', () => resolve(false));
  });
}

function openedOrEnded(node: Redis): Promise<void> {
  return new Promise((resolve) => {
    if (node.status === 'ready' || node.status === 'end') return resolve();
    node.once('ready', () => resolve());
    node.once('end', () => resolve());
  });
}

/**
 * Ends a connection that says nothing, during its opening too: what is asked would only queue behind it.
 * ioredis has an option for this, which ends it too where this process was too busy to read.
 */
function giveUpSilent(redis: Redis, silence: number): void {
  const watch = async (): Promise<void> => {
    const { stream } = redis;
    const isOpen = () => redis.stream === stream && !stream.destroyed;
    const opened = new Promise<boolean>((resolve) => {
      const settle = (): void => {
        redis.off('ready', settle);
        stream.off('close', settle);
        resolve(true);
      };
      redis.on('ready', settle);
      stream.on('close', settle);
    });
    let answers = await withinTime(opened, CONNECT_TIMEOUT_MS, false);
    while (answers && isOpen()) {
      await delay(Math.min(ASKED_EVERY_MS, silence), undefined, { ref: false });
      const answer = redis.ping().then(
        () => true,
        () => true,
      );
      answers = await withinTime(answer, silence, false);
    }
    if (isOpen()) stream.destroy(new Error('Redis says nothing'));
  };
  redis.on('connect', () => void watch());
}

/** What an address says, and what the files hold that it names: read once, whatever becomes of them. */
interface ReadyTarget extends RedisTarget {
  readonly tlsOptions: TlsFiles;
}

function readTarget(url: string): ReadyTarget {
  const target = parseRedisUrl(url);
  if (target === undefined) throw new TypeError('`REDIS_URL` is no address of a Redis');
  return { ...target, tlsOptions: readTlsFiles(target) };
}

function openRedis(target: ReadyTarget, others: Options = {}): Redis {
  const { addresses, master, db, tls, tlsOptions } = target;
  const { sentinelUsername, sentinelPassword } = target;
  const options: Options = {
    ...optionsOf(target),
    ...NEVER_QUEUE,
    db,
    retryStrategy: retryDelay,
    sentinelRetryStrategy: retryDelay,
    ...others,
  };
  if (master === undefined) return new Redis({ ...options, ...addresses[0] });
  return new Redis({
    ...options,
    sentinels: [...addresses],
    name: master,
    sentinelCommandTimeout: SENTINEL_TIMEOUT_MS,
    ...(sentinelUsername === undefined ? {} : { sentinelUsername }),
    ...(sentinelPassword === undefined ? {} : { sentinelPassword }),
    enableTLSForSentinelMode: tls,
    ...(tls ? { sentinelTLS: tlsOptions } : {}),
  });
}

function openCluster(target: ReadyTarget): Cluster {
  return new Cluster([...target.addresses], {
    enableOfflineQueue: false,
    clusterRetryStrategy: retryDelay,
    slotsRefreshTimeout: CONNECT_TIMEOUT_MS,
    slotsRefreshInterval: NODES_EVERY_MS,
    // By their names, as without a cluster: certificates are for those.
    dnsLookup: (host, found) => found(null, host),
    // A command whose node is away fails at once, as it does without a cluster.
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    redisOptions: optionsOf(target),
  });
}

function optionsOf({ username, password, tls, tlsOptions }: ReadyTarget): Options {
  return {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tls ? { tls: tlsOptions } : {}),
    connectionName: 'countersign',
    connectTimeout: CONNECT_TIMEOUT_MS,
  };
}

/** Logs once that a node of a cluster is away, and that it is back or another has taken its place. */
class NodeOutages {
  readonly #cluster: Cluster;
  readonly #log: Logger;
  readonly #away = new Set<string>();

  constructor(cluster: Cluster, log: Logger) {
    this.#cluster = cluster;
    this.#log = log;
    cluster.on('refresh', () => this.#endReplaced());
  }

  watch(redis: Redis): void {
    const node = nameOf(redis);
    redis.on('error', (error: Error) => {
      if (this.#away.has(node)) return;
      this.#away.add(node);
      this.#log.warn({ err: error, node }, 'a node of Redis cannot be reached; trying again');
    });
    redis.on('ready', () => this.#end(node, 'a node of Redis is back'));
  }

  /** Every node that holds keys is there when the cluster has just been asked, away or not. */
  #endReplaced(): void {
    const masters = new Set(this.#cluster.nodes('master').map(nameOf));
    for (const node of this.#away) {
      if (!masters.has(node)) this.#end(node, 'another node of Redis has taken the place of one');
    }
  }

  #end(node: string, how: string): void {
    if (!this.#away.delete(node)) return;
    this.#log.info({ node }, how);
    this.#cluster.emit(NODE_RETURNED);
  }
}

function nameOf({ options: { host, port } }: Redis): string {
  return `${host}:${port}`;
}

function withOutagesLogged<Client extends RedisClient>(redis: Client, log: Logger): Client {
  let away = false;
  // Without a listener the first lost connection would end the process.
  redis.on('error', (error: Error) => {
    if (!away) log.warn({ err: error }, 'Redis cannot be reached; trying again');
    away = true;
  });
  redis.on('ready', () => {
    if (away) log.info('Redis is back');
    away = false;
  });
  return redis;
}
