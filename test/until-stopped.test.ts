import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sql } from 'kysely';
import { processOf } from '../src/platform/embedded-postgres/processes.js';
import { itAtOnce } from './support/at-once.js';
import { type TestDatabase, testDatabase } from './support/database.js';
import { type ServerProcess, spawnServer, temporaryDataDir } from './support/server-process.js';
import { postgresProxy } from './support/tcp-proxy.js';
import { until } from './support/until.js';

/** Held by whoever migrates. */
const MIGRATION_LOCK = '3853314791062309107';

/** Milliseconds from the signal to the end. */
const SHUTDOWN = 10_000;

const ROOT_KEY = 'the-root-key-of-a-server-that-is-stopped-early';

/** Where one server after another is started, and what they leave there. */
interface Setting {
  readonly dataDir: string;
  start(env?: Record<string, string>): ServerProcess;
}

async function withDataDir(use: (setting: Setting) => Promise<void>): Promise<void> {
  const data = await temporaryDataDir();
  const running: ServerProcess[] = [];
  const start = (env: Record<string, string> = {}): ServerProcess => {
    const server = spawnServer(data.path, env);
    running.push(server);
    return server;
  };
  try {
    await use({ dataDir: data.path, start });
  } finally {
    for (const server of running) {
      server.child.kill('SIGKILL');
      await server.ended;
    }
    await data.remove();
  }
}

/** Tells it to stop, and asserts that it ends in time and in order, not having listened. */
async function assertEnds(server: ServerProcess, signal: NodeJS.Signals): Promise<void> {
  const told = performance.now();
  server.child.kill(signal);
  const { code, stdout, stderr } = await server.ended;
  assert.equal(code, 0, stderr);
  assert.equal(stdout, '', 'it had not listened');
  assert.ok(performance.now() - told < SHUTDOWN, 'in time');
  assert.doesNotMatch(stderr, /"level":"(?:error|fatal)"/);
}

/** The process of the embedded database, once there is one. */
async function embedded({ dataDir }: Setting): Promise<number | undefined> {
  const text = await readFile(join(dataDir, 'pg', 'postmaster.pid'), 'utf8').catch(() => '');
  const pid = Number.parseInt(text, 10);
  return Number.isNaN(pid) ? undefined : pid;
}

function assertFree({ dataDir }: Setting): void {
  assert.ok(!existsSync(join(dataDir, 'postgres.lock')), 'the directory is free');
}

/** Whether somebody waits for a lock that is held. */
async function isHeld({ database }: TestDatabase): Promise<boolean> {
  const { rows } = await sql<{ waits: boolean }>`
    SELECT EXISTS (
      SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    ) AS waits`.execute(database);
  return rows[0]?.waits === true;
}

async function endsWhileItMigrates(workers: string): Promise<void> {
  const db = await testDatabase();
  const isWaiting = () => isHeld(db);
  await withDataDir(async ({ start }) => {
    await db.database.transaction().execute(async (transaction) => {
      await sql`SELECT pg_advisory_xact_lock(${MIGRATION_LOCK}::bigint)`.execute(transaction);
      const server = start({ ...onDatabase(db.url), COUNTERSIGN_WORKERS: workers });
      await until(isWaiting, Boolean);
      await assertEnds(server, 'SIGTERM');
    });
    await until(isWaiting, (waits) => !waits);
  });
  await db.close();
}

function leavesNoDatabase(workers: string): Promise<void> {
  return withDataDir(async (setting) => {
    const server = setting.start({ COUNTERSIGN_WORKERS: workers });
    const pid = await until(
      () => embedded(setting),
      (found) => found !== undefined,
    );
    await assertEnds(server, 'SIGTERM');
    assert.ok(
      pid !== undefined && processOf(pid) === undefined,
      'it had stopped before the server ended',
    );
    assertFree(setting);
  });
}

function onDatabase(url: string): Record<string, string> {
  return { DATABASE_URL: url, COUNTERSIGN_ROOT_KEY: ROOT_KEY };
}

describe('a server that is told to stop before it listens', function () {
  this.timeout(60_000);

  itAtOnce({
    'ends while it waits to migrate': () => endsWhileItMigrates('1'),
    'ends while it waits to migrate, of workers': () => endsWhileItMigrates('2'),

    'ends while Postgres is silent': async () => {
      const db = await testDatabase();
      const { proxy, url } = await postgresProxy(db.url);
      proxy.stall();
      await withDataDir(async ({ start }) => {
        const server = start(onDatabase(url));
        await until(
          async () => proxy.connections,
          (connections) => connections > 0,
        );
        await assertEnds(server, 'SIGINT');
      });
      await proxy.cut();
      await db.close();
    },

    'ends while its first database is made, and starts the next time': () =>
      withDataDir(async (setting) => {
        const server = setting.start();
        await until(
          async () => existsSync(join(setting.dataDir, 'pg.init')),
          (begun) => begun,
        );
        await assertEnds(server, 'SIGTERM');
        assert.equal(await embedded(setting), undefined, 'there is no database');
        assertFree(setting);
        await setting.start().listening;
      }),

    'leaves no database behind': () => leavesNoDatabase('1'),
    'leaves no database behind, of workers': () => leavesNoDatabase('2'),

    'ends while it is being loaded': () =>
      withDataDir(async ({ start }) => {
        const server = start({ NODE_OPTIONS: `--import=${SIGNAL_AT_ONCE}` });
        const { code, stderr } = await server.ended;
        assert.deepEqual([code, stderr], [0, '']);
      }),
  });
});

/** Has a process send itself SIGTERM as soon as it would hear that: before the server is loaded. */
const SIGNAL_AT_ONCE = `data:text/javascript,${encodeURIComponent(`
  let sent = false;
  process.on('newListener', (name) => {
    if (name !== 'SIGTERM' || sent) return;
    sent = true;
    setImmediate(() => process.kill(process.pid, 'SIGTERM'));
  });
`)}`;
