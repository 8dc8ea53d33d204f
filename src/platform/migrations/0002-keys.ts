import { type Kysely, sql } from 'kysely';

/** API keys. Only the SHA-256 of a key is kept; `person` is who counts when the key approves. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    CREATE TABLE api_keys (
      id         text PRIMARY KEY,
      hash       bytea NOT NULL UNIQUE,
      name       text NOT NULL,
      tenant     text,
      user_id    text,
      person     text NOT NULL,
      roles      text[] NOT NULL,
      created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
      created_by text NOT NULL,
      expires_at timestamptz,
      revoked_at timestamptz
    )`.execute(db);
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`DROP TABLE api_keys`.execute(db);
}
