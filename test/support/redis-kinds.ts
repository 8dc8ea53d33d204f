import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { freePort, isFree, type RedisServer, startRedisServer } from './redis.js';
import { until } from './until.js';

const run = promisify(execFile);

/** Slots of a cluster. */
const SLOTS = 16_384;

/** What was started, in the order in which it was: to be closed the other way round. */
type Closers = (() => Promise<unknown>)[];

/** Some servers of Redis that are one store together. */
interface Store {
  readonly url: string;
  /** Ends everything that was started for it. */
  close(): Promise<void>;
}

/** A Redis that speaks TLS alone, with the authority that its certificate is from. */
export interface TlsRedis extends Store {
  /** Files: the authority, and a certificate from it for who is asked for one. */
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
}

/** A master and its replica with a watcher that promotes the replica. */
export interface SentinelRedis extends Store {
  readonly master: RedisServer;
  readonly replica: RedisServer;
  /** Resolves once the replica has everything that the master had when this was called. */
  replicated(): Promise<void>;
}

/** Three masters, each with a third of the slots. */
export interface ClusterRedis extends Store {
  readonly masters: readonly RedisServer[];
  /** Which of the masters has a key. */
  masterOf(key: string): Promise<number>;
}

/** What is left out where `redis-server` is not installed, with a line that says what would. */
export async function installed<Value>(
  start: () => Promise<Value | undefined>,
  packages = 'redis-server',
): Promise<Value | undefined> {
  const started = await start();
  if (started !== undefined) return started;
  const message = `no ${packages} for these tests: apt-get install ${packages}`;
  if (process.env['CI'] === 'true') throw new Error(message);
  process.stderr.write(`${message}\n`);
  return undefined;
}

/** Starts a Redis with this password. */
export async function startRedisWithPassword(password: string): Promise<RedisServer | undefined> {
  const port = await freePort();
  return startRedisServer({ port, settings: ['--port', String(port), '--requirepass', password] });
}

/**
 * Starts a Redis that is reached by TLS alone, as `localhost`: its certificate names no number. Undefined
 * where `redis-server` or `openssl` is not installed, or the former knows no TLS. It asks for certificates
 * where it is told to.
 */
export function startTlsRedis(
  password: string,
  { asks = false }: { readonly asks?: boolean } = {},
): Promise<TlsRedis | undefined> {
  return closingOnFailure(async (closers) => {
    const folder = await mkdtemp(join(tmpdir(), 'countersign-tls-'));
    closers.push(() => rm(folder, { recursive: true, force: true }));
    if (!(await writeCertificates(folder))) return undefined;
    const port = await freePort();
    const settings = [
      ['--port', '0'],
      ['--tls-port', String(port)],
      ['--tls-cert-file', join(folder, 'server.crt')],
      ['--tls-key-file', join(folder, 'server.key')],
      ['--tls-ca-cert-file', join(folder, 'authority.crt')],
      ['--tls-auth-clients', asks ? 'yes' : 'no'],
      ['--requirepass', password],
    ].flat();
    const server = await startRedisServer({ port, settings });
    if (server === undefined) return undefined;
    closers.push(() => server.close());
    return {
      url: `rediss://:${password}@localhost:${port}`,
      authority: join(folder, 'authority.crt'),
      certificate: join(folder, 'client.crt'),
      key: join(folder, 'client.key'),
    };
  });
}

/**
 * Starts a master, its replica and a watcher that takes a master for lost after a second, and asks for a
 * password of its own.
 */
export function startSentinelRedis(
  password: string,
  sentinelPassword: string,
): Promise<SentinelRedis | undefined> {
  return closingOnFailure(async (closers) => {
    const start = async (settings: (port: number) => readonly string[]) => {
      const port = await freePort();
      const server = await startRedisServer({ port, settings: settings(port) });
      if (server !== undefined) closers.push(() => server.close());
      return server;
    };
    const common = (port: number) =>
      [
        ['--port', String(port)],
        ['--requirepass', password],
        ['--masterauth', password],
        ['--repl-diskless-sync-delay', '0'],
      ].flat();
    const master = await start(common);
    if (master === undefined) return undefined;
    const following = ['--replicaof', `127.0.0.1 ${master.port}`];
    const replica = await start((port) => common(port).concat(following));
    if (replica === undefined) throw new Error('the replica did not start');
    const client = clientOf(master, password);
    closers.push(async () => client.disconnect());
    await until(
      () => client.info('replication'),
      (told) => /state=online/.test(told),
    );

    const folder = await mkdtemp(join(tmpdir(), 'countersign-sentinel-'));
    closers.push(() => rm(folder, { recursive: true, force: true }));
    const file = join(folder, 'sentinel.conf');
    const watched = `requirepass ${sentinelPassword}
sentinel monitor main 127.0.0.1 ${master.port} 1
sentinel auth-pass main ${password}
sentinel down-after-milliseconds main 1000
sentinel failover-timeout main 2000
`;
    await writeFile(file, watched);
    const watcher = await start((port) => [file, '--sentinel', '--port', String(port)]);
    if (watcher === undefined) throw new Error('the watcher did not start');
    const asked = clientOf(watcher, sentinelPassword);
    closers.push(async () => asked.disconnect());
    await trustClock(asked);
    await until(
      () => asked.call('SENTINEL', 'REPLICAS', 'main'),
      (replicas) => Array.isArray(replicas) && replicas.length === 1,
    );
    // The first watcher that is named is away: the next one is asked.
    const gone = await freePort();
    return {
      url: `redis+sentinel://:${password}@127.0.0.1:${gone},127.0.0.1:${watcher.port}/main?sentinel_password=${sentinelPassword}`,
      master,
      replica,
      async replicated() {
        if ((await client.wait(1, 5_000)) !== 1) throw new Error('the replica lags behind');
      },
    };
  });
}

/** Starts three masters that go on while one is away. */
export function startClusterRedis(password: string): Promise<ClusterRedis | undefined> {
  return closingOnFailure(async (closers) => {
    const masters: RedisServer[] = [];
    const clients: Redis[] = [];
    for (let i = 0; i < 3; i += 1) {
      const port = await freePortOfNode();
      const settings = [
        ['--port', String(port)],
        ['--requirepass', password],
        ['--cluster-enabled', 'yes'],
        ['--cluster-config-file', 'nodes.conf'],
        ['--cluster-node-timeout', '2000'],
        ['--cluster-require-full-coverage', 'no'],
      ].flat();
      const server = await startRedisServer({ port, settings });
      if (server === undefined) return undefined;
      closers.push(() => server.close());
      const client = clientOf(server, password);
      closers.push(async () => client.disconnect());
      masters.push(server);
      clients.push(client);
    }
    const masterOfSlot = (slot: number) => Math.floor((slot * 3) / SLOTS);
    const slots = Array.from({ length: SLOTS }, (_, slot) => slot);
    for (const [index, client] of clients.entries()) {
      await client.cluster('ADDSLOTS', ...slots.filter((slot) => masterOfSlot(slot) === index));
      await client.call('CLUSTER', 'SET-CONFIG-EPOCH', String(index + 1));
    }
    for (const { port } of masters.slice(1)) await clients[0]?.cluster('MEET', '127.0.0.1', port);
    for (const client of clients) {
      await until(
        () => client.cluster('INFO'),
        (told) => /cluster_state:ok/.test(told) && /cluster_known_nodes:3/.test(told),
      );
    }
    return {
      url: `redis+cluster://:${password}@${masters.map(({ port }) => `127.0.0.1:${port}`).join()}`,
      masters,
      async masterOf(key) {
        return masterOfSlot((await clients[0]?.cluster('KEYSLOT', key)) ?? 0);
      },
    };
  });
}

/** What `open` has started is closed with the store, and also where it cannot be opened. */
async function closingOnFailure<Opened extends object>(
  open: (closers: Closers) => Promise<Opened | undefined>,
): Promise<(Opened & { close(): Promise<void> }) | undefined> {
  const closers: Closers = [];
  const close = async (): Promise<void> => {
    for (let next = closers.pop(); next !== undefined; next = closers.pop()) await next();
  };
  try {
    const opened = await open(closers);
    if (opened === undefined) await close();
    return opened && { ...opened, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** An authority, and a certificate of it for `localhost`; false where there is no `openssl`. */
async function writeCertificates(folder: string): Promise<boolean> {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const openssl = (...args: string[]) => run('openssl', args, { cwd: folder });
  const authority = ['-keyout', 'authority.key', '-out', 'authority.crt'];
  try {
    await openssl(
      'req',
      '-x509',
      ...key,
      ...authority,
      '-days',
      '2',
      '-subj',
      '/CN=Test authority',
    );
  } catch (error) {
    if (error instanceof Error && Reflect.get(error, 'code') === 'ENOENT') return false;
    throw error;
  }
  await writeFile(join(folder, 'names'), 'subjectAltName=DNS:localhost\n');
  const signer = ['-CA', 'authority.crt', '-CAkey', 'authority.key', '-CAcreateserial'];
  for (const [who, ...names] of [['server', '-extfile', 'names'], ['client']]) {
    const request = ['-keyout', `${who}.key`, '-out', `${who}.csr`, '-subj', `/CN=${who}`];
    await openssl('req', ...key, ...request);
    const signed = ['-in', `${who}.csr`, '-out', `${who}.crt`, '-days', '2', ...names];
    await openssl('x509', '-req', ...signed, ...signer);
  }
  return true;
}

/**
 * A watcher whose machine stood still for two seconds, or had its clock set, does nothing for thirty, and
 * then takes a replica for too old to be promoted. One in a test goes on. Redis 6 cannot be told so.
 */
async function trustClock(watcher: Redis): Promise<void> {
  for (const [name, milliseconds] of [
    ['tilt-trigger', '60000'],
    ['tilt-period', '100'],
  ] as const) {
    await watcher.call('SENTINEL', 'DEBUG', name, milliseconds).catch(() => undefined);
  }
}

function clientOf({ port }: RedisServer, password: string): Redis {
  const client = new Redis(port, { password });
  client.on('error', () => undefined);
  return client;
}

/** Nodes of a cluster talk to each other on a port that is 10,000 above. */
async function freePortOfNode(): Promise<number> {
  for (;;) {
    const port = await freePort();
    if (port < 55_000 && (await isFree(port + 10_000))) return port;
  }
}
