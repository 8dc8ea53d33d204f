import { type Kysely, sql } from 'kysely';

/** The servers on this database, by when each last said that it is there. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    CREATE TABLE servers (
      id      uuid PRIMARY KEY,
      seen_at timestamptz NOT NULL
    )`.execute(db);
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`DROP TABLE servers`.execute(db);
}
