import { type Kysely, sql } from 'kysely';

/**
 * Makes the audit cheap to write. Decisions come by COPY, and those of one batch as one row: what
 * they share stands in its columns, the rest in `items`, and `keys` has hashes of what may be searched
 * for in them. `asked` is what of `detail.check` the other columns do not tell. JSON is kept as it was
 * written, neither parsed nor rebuilt. The view `audit_log` has one row an event again, each whole.
 *
 * Every `nextval` of the sequence stands for 1,000 numbers, so that whoever writes takes one and
 * numbers its events itself.
 *
 * Of the indexes, the key makes a repeated write harmless; `seq` is the order of all and of a tenant;
 * two small ones lead to changes and to batches among millions of decisions; and the BRIN, which
 * costs an insert next to nothing, to the pages that may speak of a subject or an actor.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`ALTER SEQUENCE audit_events_seq INCREMENT BY 1000`.execute(db);
  await sql`DROP INDEX audit_events_of_subject`.execute(db);
  await sql`DROP INDEX audit_events_of_approval`.execute(db);
  // Compared byte by byte: ids and names have no language, and the indexes are half as dear.
  await sql`
    ALTER TABLE audit_events
      ALTER id TYPE text COLLATE "C",
      ALTER tenant TYPE text COLLATE "C",
      ALTER kind TYPE text COLLATE "C",
      ALTER rules TYPE json USING rules::json,
      ALTER detail TYPE json USING detail::json,
      ADD asked json,
      ADD keys integer[],
      ADD items json`.execute(db);
  // Where Postgres was built with it: a quarter of what the usual compression costs.
  await sql`
    DO $$ BEGIN
      IF (SELECT 'lz4' = ANY (enumvals) FROM pg_settings
          WHERE name = 'default_toast_compression') THEN
        ALTER TABLE audit_events ALTER items SET COMPRESSION lz4;
      END IF;
    END $$`.execute(db);
  await sql`
    CREATE INDEX audit_events_of_changes ON audit_events (kind, seq)
      WHERE kind <> 'decision'`.execute(db);
  await sql`
    CREATE INDEX audit_events_of_batches ON audit_events (seq) WHERE items IS NOT NULL`.execute(db);
  await sql`
    CREATE INDEX audit_events_of_whom ON audit_events USING brin (
      subject text_bloom_ops (n_distinct_per_range = 2000),
      actor text_bloom_ops (n_distinct_per_range = 500)
    ) WITH (pages_per_range = 64, autosummarize = on)`.execute(db);

  await sql`
    CREATE FUNCTION audit_check(asked jsonb, tenant text, subject text, action text, resource text)
      RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
      SELECT jsonb_build_object(
        'tenant', tenant,
        'subject', jsonb_build_object('type', 'user', 'id', subject, 'properties', '{}'::jsonb)
          || coalesce(asked->'subject', '{}'),
        'action', jsonb_build_object('name', action, 'properties', '{}'::jsonb)
          || coalesce(asked->'action', '{}'),
        'resource', jsonb_build_object('type', split_part(resource, ':', 1),
            'id', substr(resource, strpos(resource, ':') + 1), 'properties', '{}'::jsonb)
          || coalesce(asked->'resource', '{}'),
        'context', coalesce(asked->'context', '{}'))
    $$`.execute(db);
  await sql`
    CREATE VIEW audit_log AS
      SELECT id, seq, at, tenant, kind, actor, subject, action, resource, decision, reason, rules,
             revision, bundle, commit, request_id, approval_id, ip,
             CASE WHEN asked IS NULL THEN detail
                  ELSE (jsonb_build_object('check',
                          audit_check(asked::jsonb, tenant, subject, action, resource))
                        || coalesce(detail::jsonb, '{}'))::json END AS detail
      FROM (
        SELECT id, seq, at, tenant, kind, actor, subject, action, resource, decision, reason, rules,
               revision, bundle, commit, request_id, approval_id, ip, asked, detail
          FROM audit_events WHERE items IS NULL
        UNION ALL
        SELECT i.id, e.seq + ordinality - 1, coalesce(i.at, e.at), e.tenant, e.kind, e.actor,
               i.subject, i.action, i.resource, i.decision, i.reason, i.rules,
               e.revision, e.bundle, e.commit, e.request_id, i.approval_id, e.ip, i.asked, i.detail
          FROM audit_events e,
               ROWS FROM (json_to_recordset(e.items) AS (
                 id text, at timestamptz, subject text, action text, resource text, decision text,
                 reason text, rules json, approval_id text, asked json, detail json))
                 WITH ORDINALITY AS i (id, at, subject, action, resource, decision, reason, rules,
                   approval_id, asked, detail, ordinality)
          WHERE e.items IS NOT NULL
      ) AS events`.execute(db);
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`
    CREATE TEMPORARY TABLE audit_whole ON COMMIT DROP AS SELECT * FROM audit_log`.execute(db);
  await sql`TRUNCATE audit_events`.execute(db);
  await sql`DROP VIEW audit_log`.execute(db);
  await sql`DROP FUNCTION audit_check`.execute(db);
  await sql`DROP INDEX audit_events_of_whom`.execute(db);
  await sql`DROP INDEX audit_events_of_batches`.execute(db);
  await sql`DROP INDEX audit_events_of_changes`.execute(db);
  await sql`
    ALTER TABLE audit_events
      ALTER id TYPE text COLLATE "default",
      ALTER tenant TYPE text COLLATE "default",
      ALTER kind TYPE text COLLATE "default",
      ALTER rules TYPE jsonb USING rules::jsonb,
      ALTER detail TYPE jsonb USING detail::jsonb,
      DROP asked,
      DROP keys,
      DROP items`.execute(db);
  await sql`
    INSERT INTO audit_events (id, seq, at, tenant, kind, actor, subject, action, resource, decision,
      reason, rules, revision, bundle, commit, request_id, approval_id, ip, detail)
    SELECT id, seq, at, tenant, kind, actor, subject, action, resource, decision,
      reason, rules::jsonb, revision, bundle, commit, request_id, approval_id, ip, detail::jsonb
    FROM audit_whole ORDER BY seq`.execute(db);
  await sql`
    CREATE INDEX audit_events_of_subject ON audit_events (subject, seq)
      WHERE subject IS NOT NULL`.execute(db);
  await sql`
    CREATE INDEX audit_events_of_approval ON audit_events (approval_id)
      WHERE approval_id IS NOT NULL`.execute(db);
  await sql`ALTER SEQUENCE audit_events_seq INCREMENT BY 1`.execute(db);
}
