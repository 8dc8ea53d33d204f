/**
 * The Postgres that the tests run on, loaded by mocha before any test: the one that `DATABASE_URL`
 * names, else one that listens on this machine and trusts us, else the embedded one, so that
 * `npm test` needs nothing but Node. It must let us make databases: each test file has its own.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { startEmbeddedPostgres } from '../../src/platform/embedded-postgres/embedded-postgres.js';
import { createLogger } from '../../src/platform/log.js';

/** Where a developer's own Postgres is taken from. */
const LOCAL_POSTGRES = 'postgresql://postgres@127.0.0.1:5432/postgres';

/** What tells the processes that mocha starts which Postgres was found. */
const FOUND = 'COUNTERSIGN_TEST_POSTGRES';

/** What mocha runs when every test is done. */
export async function mochaGlobalTeardown(): Promise<void> {
  await stop();
}

let stop = async () => {};

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  try {
    await client.connect();
    await client.end();
    return true;
  } catch {
    return false;
  }
}

async function startOwn(): Promise<string> {
  const dataDir = await mkdtemp(join(tmpdir(), 'countersign-test-'));
  const postgres = await startEmbeddedPostgres({ dataDir, log: createLogger('warn') });
  stop = async () => {
    await postgres.stop();
    await rm(dataDir, { recursive: true, force: true });
  };
  return postgres.url;
}

/** Where databases are made for tests. Processes of mocha that run tests side by side share it. */
export const POSTGRES_URL =
  process.env['DATABASE_URL'] ??
  process.env[FOUND] ??
  ((await answers(LOCAL_POSTGRES)) ? LOCAL_POSTGRES : await startOwn());
process.env[FOUND] = POSTGRES_URL;
