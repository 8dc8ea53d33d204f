import { readdir } from 'node:fs/promises';
import { type Migration, type MigrationResultSet, Migrator, sql } from 'kysely';
import { SettingsError } from '../errors.js';
import type { Database } from './database.js';

/** Where the names of the migrations are kept that were run. */
const RUN = 'countersign_migrations';

const FOLDER = new URL('./migrations/', import.meta.url);

/** The migrations that ship with the server, by name (`0001-policy`), in order. */
async function shippedMigrations(): Promise<Record<string, Migration>> {
  const files = (await readdir(FOLDER)).filter((file) => /^\d{4}-[a-z0-9-]+\.(js|ts)$/.test(file));
  const entries = await Promise.all(
    files.sort().map(async (file) => {
      const migration = (await import(new URL(file, FOLDER).href)) as Migration;
      return [file.replace(/\.\w+$/, ''), migration] as const;
    }),
  );
  return Object.fromEntries(entries);
}

function migrator(database: Database): Migrator {
  return new Migrator({
    db: database,
    provider: { getMigrations: shippedMigrations },
    migrationTableName: RUN,
    migrationLockTableName: `${RUN}_lock`,
  });
}

function namesOf({ error, results }: MigrationResultSet): string[] {
  if (error !== undefined) throw error;
  return (results ?? []).map((result) => result.migrationName);
}

/**
 * Brings the schema up to date; safe when several servers do it at once. Names what it ran.
 *
 * @throws SettingsError where the schema is newer than this version
 */
export async function migrateUp(database: Database): Promise<string[]> {
  await refuseNewer(database);
  return namesOf(await migrator(database).migrateToLatest());
}

/**
 * Takes the newest migration back. Names it; empty where there is none.
 *
 * @throws SettingsError where the schema is newer than this version, which cannot take that back
 */
export async function migrateDown(database: Database): Promise<string[]> {
  await refuseNewer(database);
  return namesOf(await migrator(database).migrateDown());
}

async function refuseNewer(database: Database): Promise<void> {
  const { rows: places } = await sql<{ name: string; migrated: boolean }>`
    SELECT current_database() AS name, to_regclass(${RUN}) IS NOT NULL AS migrated`.execute(
    database,
  );
  const [place] = places;
  if (place?.migrated !== true) return;
  const known = new Set(Object.keys(await shippedMigrations()));
  const { rows } = await sql<{
    name: string;
  }>`SELECT name FROM ${sql.id(RUN)} ORDER BY name`.execute(database);
  const unknown = rows.filter(({ name }) => !known.has(name)).map(({ name }) => `\`${name}\``);
  if (unknown.length === 0) return;
  throw new SettingsError([
    `the database \`${place.name}\` belongs to a newer version of Countersign: it has ${unknown.join(', ')}, which this version does not know; start that version or a later one, or take back what it added with \`countersign migrate down\` of that version, once for each`,
  ]);
}
