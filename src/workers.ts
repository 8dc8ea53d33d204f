import cluster from 'node:cluster';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { createAuditRecorder } from './audit/recorder.js';
import { runBundleTests } from './decision/bundle-tests.js';
import { SettingsError } from './errors.js';
import { systemClock } from './platform/clock.js';
import type { Config } from './platform/config.js';
import { unlessAborted } from './platform/later.js';
import type { Logger } from './platform/log.js';
import { applyAtFirstStart, watchDirectory } from './policy/policy-directory.js';
import { createPolicyService } from './policy/policy-service.js';
import { loadShippedModels } from './policy/shipped-models.js';
import { emptySnapshot } from './policy/snapshot.js';
import { nameServer } from './server-file.js';
import { closeAll, type Closer, closingOnFailure } from './closers.js';
import { locateDatabase, openManagement, openRecords, prepareDatabase } from './server-stores.js';
import { shutdownTime } from './shutdown-time.js';
import type { Stoppable } from './until-stopped.js';
import { createCrew } from './worker-crew.js';

/** What workers are started with besides the settings. */
export interface WorkersOptions {
  /** How many. */
  readonly workers: number;
  readonly log: Logger;
  /** Apply the policy directory again on every change of it. */
  readonly watch: boolean;
  /** Gives the start up: what was opened is closed again. */
  readonly signal?: AbortSignal;
}

/** A server of several processes. */
export interface RunningWorkers extends Required<Stoppable> {
  /** `http://HOST:PORT`, with the port that was bound. */
  readonly url: string;
}

/** Of the time for a shutdown, milliseconds that are left for what the primary itself closes. */
const OWN_SHUTDOWN = 1_000;

/** Connections to the database are for so many servers more: one replaces another, and the primary. */
const EXTRA_SERVERS = 2;

const ALREADY_SHARED =
  '`COUNTERSIGN_WORKERS` must be `1` where another program runs this one several times on one port';

/**
 * Starts a server of several processes that share the port. This one, the primary, does what is done
 * once: it starts, migrates and fills the database, watches the policy directory, and names the
 * server; it answers no request. What was opened is closed again should any of it fail.
 *
 * @throws SettingsError, InvalidBundle, EmbeddedPostgresError
 */
export async function startWorkers(
  config: Config,
  options: WorkersOptions,
): Promise<RunningWorkers> {
  const { log, signal } = options;
  return closingOnFailure(log, (closers) => build(config, options, closers), signal);
}

async function build(
  config: Config,
  { workers, log, watch, signal }: WorkersOptions,
  closers: Closer[],
): Promise<RunningWorkers> {
  if (!cluster.isPrimary) throw new SettingsError([ALREADY_SHARED]);
  const { dataDir, drainMs } = config;
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const database = await locateDatabase(config, log, closers, {
    servers: workers + EXTRA_SERVERS,
    signal,
  });
  signal?.throwIfAborted();
  await fillDatabase(database.url, config, { log, watch }, closers);
  signal?.throwIfAborted();

  // The root key is the primary's business.
  const { rootKey: _, ...shared } = config;
  const crew = createCrew({
    count: workers,
    entry: new URL(import.meta.resolve('./worker.js')),
    // With an address, and with the port that is announced: workers that come later must find both.
    config: { ...shared, databaseUrl: database.url, port: await bindablePort(config) },
    log,
    stopTime: shutdownTime(drainMs) - drainMs - OWN_SHUTDOWN,
  });
  closers.push(() => crew.stop());
  const url = await unlessAborted(crew.start(), signal);
  log.info({ workers }, 'the workers answer');
  closers.push(await nameServer(dataDir, url));
  return {
    url,
    failed: Promise.race([database.failed, crew.failed]),
    drain: () => crew.drain(),
    stop: () => closeAll(closers),
    restart: () => crew.restart(),
    kill: () => crew.kill(),
  };
}

/** Migrates the database, gives it its root key and its first bundle, and watches where that is. */
async function fillDatabase(
  url: string,
  config: Config,
  { log, watch }: { readonly log: Logger; readonly watch: boolean },
  closers: Closer[],
): Promise<void> {
  await prepareDatabase(url, config, { log }, closers);
  const { management, lengthy } = openManagement(url, { log }, closers);
  const records = openRecords(url, { log }, closers);
  const audit = createAuditRecorder({
    database: records,
    mode: config.audit,
    log,
    clock: systemClock,
  });
  closers.push(() => audit.close());
  const policy = createPolicyService({
    database: management,
    lengthy,
    audit,
    // Nothing is decided here: the workers are told of the change.
    current: { catchUp: async () => emptySnapshot },
    runTests: runBundleTests,
    shippedModels: await loadShippedModels(),
  });
  await applyAtFirstStart(policy, config.policyDir, log);
  if (watch) closers.push(watchDirectory(policy, config.policyDir, log));
}

/**
 * The port of the settings, a free one for 0. Rejects where it cannot be listened on, before there
 * are workers that would all say so. It is free again in between: workers open it for themselves.
 */
async function bindablePort({ host, port }: Config): Promise<number> {
  const probe = createServer().listen(port, host);
  await once(probe, 'listening');
  const address = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return address.port;
}
