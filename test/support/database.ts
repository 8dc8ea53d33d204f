import { createHash, randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import pg from 'pg';
import { type Connection, connectDatabase } from '../../src/platform/database.js';
import { migrateUp } from '../../src/platform/migrate.js';
import { POSTGRES_URL } from './test-postgres.js';

const MIGRATIONS = new URL('../../src/platform/migrations/', import.meta.url);
/** Held while a template is made or copied: Postgres copies only a database that nobody uses. */
const TEMPLATE_LOCK = 7_400_099;

/** A database of a test file's own: a copy of a migrated template, dropped by `close`. */
export interface TestDatabase extends Connection {
  readonly url: string;
}

/** Copies the template of the present migrations, making it first where no test has yet. */
export async function testDatabase(): Promise<TestDatabase> {
  const template = `countersign_template_${migrationsDigest()}`;
  const name = `countersign_test_${randomUUID().replaceAll('-', '')}`;
  await withAdmin(async (admin) => {
    await admin.query('SELECT pg_advisory_lock($1)', [TEMPLATE_LOCK]);
    const { rowCount } = await admin.query('SELECT 1 FROM pg_database WHERE datname = $1', [
      template,
    ]);
    if (rowCount === 0) await makeTemplate(admin, template);
    await admin.query(`CREATE DATABASE ${name} TEMPLATE ${template}`);
  });
  const url = urlOf(name);
  const connection = connectDatabase(url);
  const close = async () => {
    await connection.close();
    await withAdmin(async (admin) => {
      await admin.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    });
  };
  return { ...connection, url, close };
}

async function makeTemplate(admin: pg.Client, template: string): Promise<void> {
  const draft = `${template}_draft`;
  await admin.query(`DROP DATABASE IF EXISTS ${draft} WITH (FORCE)`);
  await admin.query(`CREATE DATABASE ${draft}`);
  const connection = connectDatabase(urlOf(draft));
  try {
    await migrateUp(connection.database);
  } finally {
    await connection.close();
  }
  await admin.query(`ALTER DATABASE ${draft} RENAME TO ${template}`);
}

async function withAdmin(use: (admin: pg.Client) => Promise<void>): Promise<void> {
  const admin = new pg.Client({ connectionString: POSTGRES_URL });
  await admin.connect();
  try {
    await use(admin);
  } finally {
    await admin.end();
  }
}

function urlOf(name: string): string {
  const url = new URL(POSTGRES_URL);
  url.pathname = `/${name}`;
  return url.href;
}

function migrationsDigest(): string {
  const hash = createHash('sha256');
  for (const file of readdirSync(MIGRATIONS).sort()) {
    hash.update(file).update(readFileSync(new URL(file, MIGRATIONS)));
  }
  return hash.digest('hex').slice(0, 12);
}
