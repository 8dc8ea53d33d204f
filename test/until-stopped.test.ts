import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sql } from 'kysely';
import { processOf } from '../src/platform/embedded-postgres/processes.js';
import { type TestDatabase, testDatabase } from './support/database.js';
import { type ServerProcess, spawnServer, temporaryDataDir } from './support/server-process.js';
import { postgresProxy } from './support/tcp-proxy.js';
import { until } from './support/until.js';

/** Held by whoever migrates. */
const MIGRATION_LOCK = '3853314791062309107';

/** Milliseconds from the signal to the end. */
const SHUTDOWN = 10_000;

const ROOT_KEY = 'the-root-key-of-a-server-that-is-stopped-early';

describe('a server that is told to stop before it listens', function () {
  this.timeout(60_000);
  let data: Awaited<ReturnType<typeof temporaryDataDir>>;
  let db: TestDatabase;
  const running: ServerProcess[] = [];

  before(async () => {
    db = await testDatabase();
  });
  beforeEach(async () => {
    data = await temporaryDataDir();
  });
  afterEach(async () => {
    for (const server of running.splice(0)) {
      server.child.kill('SIGKILL');
      await server.ended;
    }
    await data.remove();
  });
  after(() => db.close());

  const start = (env: Record<string, string> = {}): ServerProcess => {
    const server = spawnServer(data.path, env);
    running.push(server);
    return server;
  };
  const onDatabase = (url: string, env: Record<string, string> = {}): ServerProcess =>
    start({ DATABASE_URL: url, COUNTERSIGN_ROOT_KEY: ROOT_KEY, ...env });

  /** Tells it to stop, and asserts that it ends in time and in order, not having listened. */
  const assertEnds = async (server: ServerProcess, signal: NodeJS.Signals): Promise<void> => {
    const told = performance.now();
    server.child.kill(signal);
    const { code, stdout, stderr } = await server.ended;
    assert.equal(code, 0, stderr);
    assert.equal(stdout, '', 'it had not listened');
    assert.ok(performance.now() - told < SHUTDOWN, 'in time');
    assert.doesNotMatch(stderr, /"level":"(?:error|fatal)"/);
  };

  const isHeld = async (): Promise<boolean> => {
    const { rows } = await sql<{ waits: boolean }>`
      SELECT EXISTS (
        SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      ) AS waits`.execute(db.database);
    return rows[0]?.waits === true;
  };

  /** The process of the embedded database, once there is one. */
  const embedded = async (): Promise<number | undefined> => {
    const text = await readFile(join(data.path, 'pg', 'postmaster.pid'), 'utf8').catch(() => '');
    const pid = Number.parseInt(text, 10);
    return Number.isNaN(pid) ? undefined : pid;
  };

  for (const workers of ['1', '2']) {
    it(`ends while it waits to migrate, with COUNTERSIGN_WORKERS=${workers}`, async () => {
      await db.database.transaction().execute(async (transaction) => {
        await sql`SELECT pg_advisory_xact_lock(${MIGRATION_LOCK}::bigint)`.execute(transaction);
        const server = onDatabase(db.url, { COUNTERSIGN_WORKERS: workers });
        await until(isHeld, (held) => held);
        await assertEnds(server, 'SIGTERM');
      });
      await until(isHeld, (held) => !held);
    });
  }

  it('ends while Postgres is silent', async () => {
    const { proxy, url } = await postgresProxy(db.url);
    proxy.stall();
    const server = onDatabase(url);
    await until(
      async () => proxy.connections,
      (connections) => connections > 0,
    );
    await assertEnds(server, 'SIGINT');
    await proxy.cut();
  });

  it('ends while its first database is made, and starts the next time', async () => {
    const server = start();
    await until(
      async () => existsSync(join(data.path, 'pg.init')),
      (begun) => begun,
    );
    await assertEnds(server, 'SIGTERM');
    assert.equal(await embedded(), undefined, 'there is no database');
    assert.ok(!existsSync(join(data.path, 'postgres.lock')), 'the directory is free');
    await start().listening;
  });

  for (const workers of ['1', '2']) {
    it(`leaves no database behind, with COUNTERSIGN_WORKERS=${workers}`, async () => {
      const server = start({ COUNTERSIGN_WORKERS: workers });
      const pid = await until(embedded, (found) => found !== undefined);
      await assertEnds(server, 'SIGTERM');
      assert.ok(
        pid !== undefined && processOf(pid) === undefined,
        'it had stopped before the server ended',
      );
      assert.ok(!existsSync(join(data.path, 'postgres.lock')), 'the directory is free');
    });
  }

  it('ends while it is being loaded', async () => {
    const server = start({ NODE_OPTIONS: `--import=${SIGNAL_AT_ONCE}` });
    const { code, stderr } = await server.ended;
    assert.deepEqual([code, stderr], [0, '']);
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
