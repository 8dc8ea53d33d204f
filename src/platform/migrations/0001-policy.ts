import { type Kysely, sql } from 'kysely';

/**
 * Rules, bundles and the change log.
 *
 * `casbin` keeps the shape that casbin-pg-adapter reads (`id, ptype, rule`), so that a stock
 * node-casbin program can load the same rules. Only this server writes it: a trigger refuses
 * everything that does not come from one of its transactions (see `change-log.ts`).
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    CREATE TABLE change_log (
      revision bigint PRIMARY KEY,
      at       timestamptz NOT NULL DEFAULT clock_timestamp(),
      kind     text NOT NULL,
      actor    text NOT NULL,
      tenant   text,
      detail   jsonb NOT NULL DEFAULT '{}'
    )`.execute(db);

  await sql`
    CREATE TABLE bundles (
      number     integer PRIMARY KEY,
      name       text NOT NULL,
      digest     bytea NOT NULL,
      model_name text NOT NULL,
      model_text text NOT NULL,
      author     text NOT NULL,
      commit     text,
      applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
      revision   bigint NOT NULL REFERENCES change_log
    )`.execute(db);
  await sql`
    CREATE TABLE bundle_files (
      bundle integer NOT NULL REFERENCES bundles,
      path   text NOT NULL,
      text   text NOT NULL,
      PRIMARY KEY (bundle, path)
    )`.execute(db);
  await sql`
    CREATE TABLE active_bundle (
      singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
      bundle    integer NOT NULL REFERENCES bundles,
      since     timestamptz NOT NULL DEFAULT clock_timestamp(),
      revision  bigint NOT NULL REFERENCES change_log
    )`.execute(db);

  // `digest` is SHA-256 over type and values: a rule may be longer than an index entry.
  // A rule is in force while the bundle or an admin holds it; its rank is the bundle's, else the admin's.
  await sql`
    CREATE TABLE casbin (
      id          bigserial PRIMARY KEY,
      ptype       text NOT NULL,
      rule        jsonb NOT NULL,
      digest      bytea NOT NULL,
      tenant      text,
      bundle_rank bigint,
      bundle_file text,
      bundle_line integer,
      admin_rank  bigint,
      admin_by    text,
      admin_at    timestamptz,
      CHECK (bundle_rank IS NOT NULL OR admin_rank IS NOT NULL)
    )`.execute(db);
  await sql`CREATE UNIQUE INDEX casbin_rule_key ON casbin (ptype, digest)`.execute(db);
  // The engine's order, the pages of one tenant, and the admin's rules.
  await sql`CREATE INDEX casbin_rank ON casbin (bundle_rank, admin_rank)`.execute(db);
  await sql`CREATE INDEX casbin_tenant_rank ON casbin (tenant, bundle_rank, admin_rank)`.execute(
    db,
  );
  await sql`
    CREATE INDEX casbin_admin_rank ON casbin (admin_rank) WHERE admin_rank IS NOT NULL`.execute(db);

  await sql`
    CREATE FUNCTION casbin_refuse_outside_writes() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF coalesce(current_setting('countersign.revision', true), '') = '' THEN
        RAISE EXCEPTION 'the table casbin is written by Countersign alone: use POST /v1/rules or a bundle'
          USING ERRCODE = 'insufficient_privilege';
      END IF;
      RETURN NULL;
    END $$`.execute(db);
  await sql`
    CREATE TRIGGER casbin_refuse_outside_writes
      BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON casbin
      FOR EACH STATEMENT EXECUTE FUNCTION casbin_refuse_outside_writes()`.execute(db);

  // What casbin-pg-adapter would have run: with its migrations marked as done it leaves the table alone.
  await sql`
    CREATE TABLE casbin_migrations (
      id     serial PRIMARY KEY,
      name   varchar(255) NOT NULL,
      run_on timestamp NOT NULL
    )`.execute(db);
  await sql`
    INSERT INTO casbin_migrations (name, run_on)
    VALUES ('1587132340023_initial', now()), ('1591572942519_pkey-and-uniq', now())`.execute(db);
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`DROP TABLE casbin_migrations, casbin`.execute(db);
  await sql`DROP FUNCTION casbin_refuse_outside_writes`.execute(db);
  await sql`DROP TABLE active_bundle, bundle_files, bundles, change_log`.execute(db);
}
