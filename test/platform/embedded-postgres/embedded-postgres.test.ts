import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import {
  type Account,
  canReach,
  databaseAccount,
} from '../../../src/platform/embedded-postgres/account.js';
import { processOf } from '../../../src/platform/embedded-postgres/processes.js';
import {
  type EmbeddedPostgres,
  startEmbeddedPostgres,
} from '../../../src/platform/embedded-postgres/embedded-postgres.js';
import { createLogger } from '../../../src/platform/log.js';

const SERVER = resolve(import.meta.dirname, '../../support/embedded-postgres-server.ts');
const log = createLogger('silent');
const isRoot = process.getuid?.() === 0;

interface Line {
  readonly url?: string;
  readonly error?: string;
  readonly rows?: readonly Record<string, unknown>[];
}

/** A server in a process of its own, so that it can be killed. */
class ServerProcess {
  readonly child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(dataDir: string, account?: Account) {
    this.child = spawn(process.execPath, ['--import', 'tsx/esm', SERVER, dataDir], {
      ...account,
      env: { PATH: process.env['PATH'], HOME: tmpdir(), NODE_OPTIONS: '' },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#lines = createInterface({ input: this.child.stdout! })[Symbol.asyncIterator]();
  }

  async line(): Promise<Line> {
    const { value, done } = await this.#lines.next();
    return done ? { error: 'the process said nothing' } : (JSON.parse(value) as Line);
  }

  async query(statement: string): Promise<readonly Record<string, unknown>[]> {
    this.child.stdin?.write(`${statement}\n`);
    const { rows, error } = await this.line();
    assert.ok(rows, error);
    return rows;
  }

  async end(signal?: NodeJS.Signals): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exit = once(this.child, 'exit');
    if (signal) this.child.kill(signal);
    else this.child.stdin?.end();
    await exit;
  }
}

async function queryOf(url: string, statement: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return (await client.query(statement)).rows;
  } finally {
    await client.end();
  }
}

/** Waits for a process to be gone, however long the machine takes within reason. */
async function gone(pid: number): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (processOf(pid)) {
    assert.ok(performance.now() < deadline, `process ${pid} is still there`);
    await sleep(10);
  }
}

function postmasterPid(home: string): number {
  return Number.parseInt(readFileSync(join(home, 'pg', 'postmaster.pid'), 'utf8'), 10);
}

describe('the embedded Postgres', function () {
  this.timeout(60_000);
  let dir: string;
  let count = 0;
  const running: (EmbeddedPostgres | ServerProcess)[] = [];

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'countersign-pg-'));
    await chmod(dir, 0o711);
  });
  afterEach(async () => {
    for (const one of running.splice(0)) await ('stop' in one ? one.stop() : one.end('SIGKILL'));
  });
  after(async () => {
    await rm(dir, { recursive: true, force: true });
  });

  const newDataDir = () => join(dir, `data-${(count += 1)}`);

  async function start(dataDir: string): Promise<EmbeddedPostgres> {
    const postgres = await startEmbeddedPostgres({ dataDir, log });
    running.push(postgres);
    return postgres;
  }

  async function startProcess(dataDir: string, account?: Account): Promise<ServerProcess> {
    const server = new ServerProcess(dataDir, account);
    running.push(server);
    const { url, error } = await server.line();
    assert.ok(url, error);
    return server;
  }

  describe('on one data directory', () => {
    let dataDir: string;
    before(() => {
      dataDir = newDataDir();
    });

    it('makes a database at its first start and keeps it for later ones', async () => {
      const first = await start(dataDir);
      await queryOf(first.url, 'CREATE TABLE kept (n int)');
      await queryOf(first.url, 'INSERT INTO kept VALUES (1)');
      await first.stop();
      const second = await start(dataDir);
      assert.deepEqual(await queryOf(second.url, 'SELECT n FROM kept'), [{ n: 1 }]);
    });

    it('ends with its stop, and can be stopped twice', async () => {
      const postgres = await start(dataDir);
      const pid = postmasterPid(dataDir);
      assert.ok(processOf(pid));
      await postgres.stop();
      await postgres.stop();
      assert.equal(processOf(pid), undefined);
    });

    it('listens on no port, and lets nobody else in', async () => {
      const { url } = await start(dataDir);
      const settings = await queryOf(
        url,
        `SELECT current_setting('listen_addresses') AS addresses, current_setting('fsync') AS fsync,
           current_setting('synchronous_commit') AS commits, current_setting('server_encoding') AS text`,
      );
      assert.deepEqual(settings, [{ addresses: '', fsync: 'on', commits: 'on', text: 'UTF8' }]);
      assert.equal(statSync(join(dataDir, 'pg')).mode & 0o077, 0);
    });

    it('refuses a second server, naming the process of the first', async () => {
      await start(dataDir);
      await assert.rejects(startEmbeddedPostgres({ dataDir, log }), {
        name: 'EmbeddedPostgresError',
        message: new RegExp(`in use by another server \\(process ${process.pid}\\)`),
      });
    });

    it('refuses a second server in another process, and the first goes on', async () => {
      const { url } = await start(dataDir);
      const second = new ServerProcess(dataDir);
      running.push(second);
      assert.match((await second.line()).error ?? '', new RegExp(`process ${process.pid}\\)`));
      assert.deepEqual(await queryOf(url, 'SELECT 1 AS one'), [{ one: 1 }]);
    });

    it('tells when the database ends by itself', async () => {
      const { failed } = await start(dataDir);
      process.kill(postmasterPid(dataDir), 'SIGKILL');
      assert.match(await failed, /137|SIGKILL/);
    });

    it('starts after the database was killed, with what was committed', async () => {
      const { url } = await start(dataDir);
      assert.deepEqual(await queryOf(url, 'SELECT n FROM kept'), [{ n: 1 }]);
    });

    it('leaves no process behind when its server is killed, and loses no commit', async () => {
      const server = await startProcess(dataDir);
      await server.query('CREATE TABLE committed (n int)');
      for (let n = 0; n < 20; n += 1) await server.query(`INSERT INTO committed VALUES (${n})`);
      const pid = postmasterPid(dataDir);
      await server.end('SIGKILL');
      // At once: the lock is stale, and the former Postgres still about to stop.
      const { url } = await start(dataDir);
      await gone(pid);
      assert.deepEqual(await queryOf(url, 'SELECT count(*)::int AS rows FROM committed'), [
        { rows: 20 },
      ]);
    });

    it('ends with the server also while connections are busy', async () => {
      const server = await startProcess(dataDir);
      server.child.stdin?.write('SELECT pg_sleep(600)\n');
      const pid = postmasterPid(dataDir);
      await server.end('SIGKILL');
      await gone(pid);
    });

    it('takes the lock of a process that is gone, even if its id was given out again', async () => {
      await writeFile(
        join(dataDir, 'postgres.lock'),
        `{"pid":${process.ppid},"started":"long ago"}\n`,
      );
      await start(dataDir);
    });

    it('is not misled by a postmaster.pid that names another program', async () => {
      const first = await start(dataDir);
      await first.stop();
      await writeFile(join(dataDir, 'pg', 'postmaster.pid'), `${process.pid}\n${dataDir}/pg\n`);
      const { url } = await start(dataDir);
      assert.deepEqual(await queryOf(url, 'SELECT 1 AS one'), [{ one: 1 }]);
    });

    it('runs as another user where we are root', async function () {
      if (!isRoot || process.platform !== 'linux') this.skip();
      await start(dataDir);
      assert.notEqual(statSync(`/proc/${postmasterPid(dataDir)}`).uid, 0);
    });
  });

  it('begins anew where a first start was broken off', async () => {
    const dataDir = newDataDir();
    await mkdir(join(dataDir, 'pg.init'), { recursive: true });
    await writeFile(join(dataDir, 'pg.init', 'PG_VERSION'), '18\n');
    const { url } = await start(dataDir);
    assert.deepEqual(await queryOf(url, 'SELECT 1 AS one'), [{ one: 1 }]);
    assert.ok(!existsSync(join(dataDir, 'pg.init')));
  });

  it('finds a short folder for its socket where the path is too long for one', async () => {
    const dataDir = join(newDataDir(), 'x'.repeat(60), 'y'.repeat(60));
    await mkdir(dataDir, { recursive: true });
    const postgres = await start(dataDir);
    assert.deepEqual(await queryOf(postgres.url, 'SELECT 1 AS one'), [{ one: 1 }]);
    const socketDir = decodeURIComponent(postgres.url.split('host=')[1] ?? '');
    assert.equal(statSync(socketDir).mode & 0o777, 0o700);
    await postgres.stop();
    assert.ok(!existsSync(socketDir));
  });

  it('says so where the data was made by another version, or is none', async () => {
    const dataDir = newDataDir();
    await mkdir(join(dataDir, 'pg'), { recursive: true });
    await assert.rejects(startEmbeddedPostgres({ dataDir, log }), {
      message: /is no Postgres database/,
    });
    await writeFile(join(dataDir, 'pg', 'PG_VERSION'), '15\n');
    await assert.rejects(startEmbeddedPostgres({ dataDir, log }), {
      message: /made by Postgres 15 and this server brings Postgres 18/,
    });
    assert.ok(!existsSync(join(dataDir, 'postgres.lock')));
  });

  it('runs for an ordinary user', async function () {
    const nobody = isRoot ? databaseAccount('') : undefined;
    if (isRoot && !canReach(resolve(SERVER, '..'), nobody)) this.skip();
    const parent = newDataDir();
    await mkdir(parent, { recursive: true });
    await chmod(parent, 0o777);
    const server = await startProcess(join(parent, 'data'), nobody);
    assert.deepEqual(await server.query('SELECT 1 AS one'), [{ one: 1 }]);
    await server.end();
    assert.equal(statSync(join(parent, 'data')).mode & 0o777, 0o700);
  });

  describe('of root', () => {
    before(function () {
      if (!isRoot) this.skip();
    });

    it('keeps its data elsewhere where that user cannot get to the data directory', async () => {
      const closed = newDataDir();
      await mkdir(closed, { recursive: true, mode: 0o700 });
      const dataDir = join(closed, 'data');
      const first = await start(dataDir);
      const home = readFileSync(join(dataDir, 'postgres.location'), 'utf8').trim();
      try {
        assert.match(home, /^\/var\/lib\/countersign-/);
        await queryOf(first.url, 'CREATE TABLE kept (n int)');
        await first.stop();
        const second = await start(dataDir);
        assert.deepEqual(await queryOf(second.url, 'SELECT * FROM kept'), []);
        await second.stop();
      } finally {
        await rm(home, { recursive: true, force: true });
      }
      // Gone with a container, say: an empty database would hide the loss.
      await assert.rejects(startEmbeddedPostgres({ dataDir, log }), {
        message: /that folder is gone/,
      });
    });
  });
});
