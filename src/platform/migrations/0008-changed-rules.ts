import { type Kysely, sql } from 'kysely';

/**
 * The lines of the latest changes of the admin's rules, by revision: what a server that follows takes
 * into its engine without reading all rules again. Kept for the changes that somebody may still be
 * behind by, and shown by no API.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    CREATE TABLE changed_rules (
      revision bigint PRIMARY KEY REFERENCES change_log,
      lines    integer NOT NULL,
      added    jsonb NOT NULL,
      removed  jsonb NOT NULL
    )`.execute(db);
  // The files of a bundle are sent before its revision is known, and so before the bundle itself.
  await sql`
    ALTER TABLE bundle_files
      ALTER CONSTRAINT bundle_files_bundle_fkey DEFERRABLE INITIALLY DEFERRED`.execute(db);
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`
    ALTER TABLE bundle_files
      ALTER CONSTRAINT bundle_files_bundle_fkey NOT DEFERRABLE`.execute(db);
  await sql`DROP TABLE changed_rules`.execute(db);
}
