import { type Kysely, sql } from 'kysely';

/**
 * Answers kept for repetitions with the same `Idempotency-Key`. `answer` is null while the first
 * call is still being answered.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    CREATE TABLE idempotent_answers (
      caller     text NOT NULL,
      key        text NOT NULL,
      body       text NOT NULL,
      claim      text NOT NULL,
      answer     text,
      claimed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
      PRIMARY KEY (caller, key)
    )`.execute(db);
  await sql`CREATE INDEX idempotent_answers_age ON idempotent_answers (claimed_at)`.execute(db);
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`DROP TABLE idempotent_answers`.execute(db);
}
