import type { Command } from 'commander';
import { loadConfig } from '../platform/config.js';
import { connectDatabase, type Database } from '../platform/database.js';
import { startEmbeddedPostgres } from '../platform/embedded-postgres/embedded-postgres.js';
import { createLogger } from '../platform/log.js';
import { migrateDown, migrateUp } from '../platform/migrate.js';
import { startFailure } from './failure.js';
import { createScreen, type Screen } from './screen.js';
import { type PrintOptions, withJson } from './server-command.js';
import type { Surroundings } from './surroundings.js';

/** Milliseconds that a statement may take: it may rewrite a large table. */
const MIGRATION_TIMEOUT = 600_000;

/** `countersign migrate up|down`: the schema of `DATABASE_URL`, or of the embedded database. */
export function addMigrate(program: Command, surroundings: Surroundings): void {
  const migrate = program.command('migrate').description("change the database's schema");
  const up = migrate.command('up').description('bring the schema up to date');
  withJson(up).action(async (options: PrintOptions) => {
    await run(surroundings, options, 'applied', migrateUp);
  });
  const down = migrate.command('down').description('take the newest migration back');
  withJson(down).action(async (options: PrintOptions) => {
    await run(surroundings, options, 'taken back', migrateDown);
  });
}

async function run(
  surroundings: Surroundings,
  options: PrintOptions,
  verb: string,
  change: (database: Database) => Promise<string[]>,
): Promise<void> {
  const screen = createScreen(surroundings);
  const names = await screen.busy('changing the schema', () => onDatabase(surroundings, change));
  if (options.json) screen.data({ migrations: names });
  else showNames(screen, verb, names);
}

function showNames(screen: Screen, verb: string, names: readonly string[]): void {
  if (names.length === 0) screen.say('nothing to do');
  else screen.say(...names.map((name) => `${screen.colours.green(verb)}: ${name}`));
}

async function onDatabase<Result>(
  { env, cwd }: Surroundings,
  work: (database: Database) => Promise<Result>,
): Promise<Result> {
  // A server's settings would ask for a root key beside DATABASE_URL; a migration needs none.
  const url = env['DATABASE_URL'] || undefined;
  if (url !== undefined) return connected(url, work);
  const { databaseUrl, dataDir, logLevel } = loadConfig(env, cwd);
  if (databaseUrl !== undefined) return connected(databaseUrl, work);
  const embedded = await startEmbeddedPostgres({ dataDir, log: createLogger(logLevel) });
  try {
    return await connected(embedded.url, work);
  } finally {
    await embedded.stop();
  }
}

async function connected<Result>(
  url: string,
  work: (database: Database) => Promise<Result>,
): Promise<Result> {
  const connection = connectDatabase(url, { max: 1, queryTimeout: MIGRATION_TIMEOUT });
  try {
    return await work(connection.database);
  } catch (error) {
    throw startFailure(error);
  } finally {
    await connection.close();
  }
}
