import { readdir } from 'node:fs/promises';
import { type Migration, type MigrationResultSet, Migrator } from 'kysely';
import type { Database } from './database.js';

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
    migrationTableName: 'countersign_migrations',
    migrationLockTableName: 'countersign_migrations_lock',
  });
}

function namesOf({ error, results }: MigrationResultSet): string[] {
  if (error !== undefined) throw error;
  return (results ?? []).map((result) => result.migrationName);
}

/** Brings the schema up to date; safe when several servers do it at once. Names what it ran. */
export async function migrateUp(database: Database): Promise<string[]> {
  return namesOf(await migrator(database).migrateToLatest());
}

/** Takes the newest migration back. Names it; empty where there is none. */
export async function migrateDown(database: Database): Promise<string[]> {
  return namesOf(await migrator(database).migrateDown());
}
