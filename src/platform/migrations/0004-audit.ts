import { type Kysely, sql } from 'kysely';

/**
 * The audit: one row an event, one partition a month. The months' partitions are made ahead while
 * the server runs; the default one takes whatever comes before its month's is there, so that no
 * insert ever fails for want of a partition.
 *
 * A decision pays for four indexes and no more: the key (which makes a repeated insert harmless), the
 * order of all, the order within a tenant, and one subject's events.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  // No identity column: before Postgres 17 partitions cannot be attached to a table that has one.
  await sql`CREATE SEQUENCE audit_events_seq`.execute(db);
  await sql`
    CREATE TABLE audit_events (
      id          text NOT NULL,
      seq         bigint NOT NULL DEFAULT nextval('audit_events_seq'),
      at          timestamptz NOT NULL,
      tenant      text,
      kind        text NOT NULL,
      actor       text NOT NULL,
      subject     text,
      action      text,
      resource    text,
      decision    text,
      reason      text,
      rules       jsonb,
      revision    bigint,
      bundle      integer,
      commit      text,
      request_id  text,
      approval_id text,
      ip          text,
      detail      jsonb,
      PRIMARY KEY (id, at)
    ) PARTITION BY RANGE (at)`.execute(db);
  await sql`ALTER SEQUENCE audit_events_seq OWNED BY audit_events.seq`.execute(db);
  await sql`CREATE INDEX audit_events_order ON audit_events (seq)`.execute(db);
  await sql`CREATE INDEX audit_events_of_tenant ON audit_events (tenant, seq)`.execute(db);
  await sql`
    CREATE INDEX audit_events_of_subject ON audit_events (subject, seq)
      WHERE subject IS NOT NULL`.execute(db);
  await sql`
    CREATE INDEX audit_events_of_approval ON audit_events (approval_id)
      WHERE approval_id IS NOT NULL`.execute(db);
  await sql`CREATE TABLE audit_events_default PARTITION OF audit_events DEFAULT`.execute(db);
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`DROP TABLE audit_events`.execute(db);
}
