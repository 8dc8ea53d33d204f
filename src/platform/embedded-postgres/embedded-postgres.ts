import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Logger } from '../log.js';
import type { Account } from './account.js';
import { type Binaries, findBinaries, runnableBinaries } from './binaries.js';
import { lockDataDir } from './data-lock.js';
import { EmbeddedPostgresError } from './embedded-postgres-error.js';
import { DATABASE_NAME, initialiseDatabase } from './initialise.js';
import { awaitLeftover } from './leftover.js';
import { makeDataDir, placeDatabase, placeSocket } from './placement.js';
import { runWatched, type Watched } from './watchdog.js';

/** Where the database is kept, and where its troubles are told. */
export interface EmbeddedPostgresOptions {
  readonly dataDir: string;
  readonly log: Logger;
  /** Connections that it must take at once; 100 unless more are asked for. */
  readonly connections?: number;
  /** Gives the start up: what runs is stopped, and the start fails. */
  readonly signal?: AbortSignal | undefined;
}

/** A running database of our own. */
export interface EmbeddedPostgres {
  /** For `connectDatabase`; it leads to a socket that no other user can open. */
  readonly url: string;
  /** Settles with the reason when the database ends without having been asked to; never rejects. */
  readonly failed: Promise<string>;
  /** Stops it, and gives the data directory free. */
  stop(): Promise<void>;
}

/** Connections that it takes at least. */
const CONNECTIONS = 100;

/**
 * Small, and safe: every commit is on the disk before it is answered. No statement's text and no
 * value ever comes into the log.
 */
const PARAMETERS = {
  listen_addresses: '',
  unix_socket_permissions: '0700',
  shared_buffers: '24MB',
  work_mem: '4MB',
  maintenance_work_mem: '16MB',
  temp_buffers: '1MB',
  wal_level: 'minimal',
  max_wal_senders: '0',
  wal_buffers: '1MB',
  min_wal_size: '32MB',
  max_wal_size: '256MB',
  max_worker_processes: '2',
  max_logical_replication_workers: '0',
  max_parallel_workers: '0',
  max_parallel_workers_per_gather: '0',
  autovacuum_worker_slots: '2',
  autovacuum_max_workers: '1',
  io_method: 'sync',
  dynamic_shared_memory_type: 'mmap',
  jit: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_line_prefix: '',
  log_min_messages: 'log',
  log_min_error_statement: 'panic',
  log_parameter_max_length: '0',
  log_checkpoints: 'off',
} as const;

/**
 * Starts the Postgres that npm installed, on the data directory alone: no port, no other user. It
 * ends with this process, however that ends, and loses nothing that was committed.
 *
 * @throws SettingsError where there is none for this machine
 * @throws EmbeddedPostgresError where it cannot start, a second server on the directory for one
 */
export async function startEmbeddedPostgres(
  options: EmbeddedPostgresOptions,
): Promise<EmbeddedPostgres> {
  const found = await findBinaries();
  const dataDir = makeDataDir(options.dataDir);
  const unlock = lockDataDir(dataDir);
  try {
    const placement = placeDatabase(dataDir);
    const { home } = placement;
    if (home !== dataDir) options.log.warn({ home }, 'the database is outside the data directory');
    const binaries = await runnableBinaries(found, placement.account, placement.copies);
    const pgDir = await initialiseDatabase(binaries, placement, options.signal);
    await awaitLeftover(pgDir, options.signal);
    return await launch(binaries, pgDir, placement.account, options, unlock);
  } catch (error) {
    unlock();
    throw error;
  }
}

async function launch(
  binaries: Binaries,
  pgDir: string,
  account: Account | undefined,
  { log, connections = CONNECTIONS, signal }: EmbeddedPostgresOptions,
  unlock: () => void,
): Promise<EmbeddedPostgres> {
  const socket = await placeSocket(pgDir, account);
  signal?.throwIfAborted();
  const watched = runWatched(
    [
      join(binaries.root, 'bin', 'postgres'),
      '-D',
      pgDir,
      '-k',
      socket.dir,
      ...parameters(connections),
    ],
    { account, removeAfter: socket.temporary ? socket.dir : undefined },
  );
  const exit = exitOf(watched.child);
  // It may recover for long before it is ready.
  signal?.addEventListener('abort', watched.release, { once: true });
  await ready(watched, exit, log);
  signal?.removeEventListener('abort', watched.release);

  let stopping: Promise<void> | undefined;
  const stop = async () => {
    watched.release();
    await exit;
    unlock();
  };
  return {
    // The host of the address itself counts for nothing; without one it would be no URL.
    url: `postgresql://${DATABASE_NAME}@localhost/${DATABASE_NAME}?host=${encodeURIComponent(socket.dir)}`,
    failed: exit.then((how) => (stopping ? new Promise<never>(() => undefined) : how)),
    stop: () => (stopping ??= stop()),
  };
}

function parameters(connections: number): string[] {
  const all = { ...PARAMETERS, max_connections: Math.max(CONNECTIONS, connections) };
  return Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

/** Waits until it takes connections, and goes on telling what it logs. */
async function ready({ child }: Watched, exit: Promise<string>, log: Logger): Promise<void> {
  const said: string[] = [];
  const isReady = new Promise<true>((resolve) => {
    if (!child.stderr) return;
    createInterface({ input: child.stderr }).on('line', (line) => {
      if (line.includes('ready to accept connections')) resolve(true);
      if (said.length < 50) said.push(line);
      // FATAL ends one connection, and its client is told; PANIC is the database's own.
      if (line.startsWith('PANIC:')) log.error({ postgres: line }, 'the database complains');
      else log.debug({ postgres: line }, 'the database says');
    });
  });
  const outcome = await Promise.race([isReady, exit]);
  if (outcome === true) return;
  throw new EmbeddedPostgresError(
    `the embedded database did not start (${outcome}). It said: ${said.join(' · ')}`,
  );
}

function exitOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('exit', (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
}
