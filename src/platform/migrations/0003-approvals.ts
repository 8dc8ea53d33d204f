import { type Kysely, sql } from 'kysely';

/**
 * Requests for approval, one row each: votes lie within `stages`, so that the lock on the row is all
 * that concurrent votes need. What searches ask for is kept beside them in columns.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  // `json`, not `jsonb`: a check is kept as it came, whatever its strings hold.
  await sql`
    CREATE TABLE approvals (
      id                text COLLATE "C" PRIMARY KEY,
      tenant            text NOT NULL,
      status            text NOT NULL CHECK (status IN ('pending', 'approved', 'used', 'lapsed',
                                                        'rejected', 'expired', 'cancelled', 'revoked')),
      reason            text,
      requester         text NOT NULL,
      subject           text NOT NULL,
      evaluated         json NOT NULL,
      requested         json NOT NULL,
      rules             jsonb NOT NULL,
      rule_digests      text[] NOT NULL,
      bind              text[] NOT NULL,
      identity          bytea NOT NULL,
      content           bytea NOT NULL,
      terms             bytea NOT NULL,
      stages            jsonb NOT NULL,
      approver_roles    text[] NOT NULL,
      approver_users    text[] NOT NULL,
      open_roles        text[] NOT NULL,
      open_users        text[] NOT NULL,
      voters            text[] NOT NULL,
      opened_at         timestamptz NOT NULL,
      expires_at        timestamptz NOT NULL,
      decided_at        timestamptz,
      grant_mode        text NOT NULL CHECK (grant_mode IN ('once', 'window')),
      grant_duration_ms bigint NOT NULL,
      grant_expires_at  timestamptz,
      used_at           timestamptz,
      revision          bigint NOT NULL,
      CHECK (status <> 'approved' OR grant_expires_at IS NOT NULL)
    )`.execute(db);
  // One pending request for a binding, however many ask at once.
  await sql`
    CREATE UNIQUE INDEX approvals_one_pending ON approvals (content)
      WHERE status = 'pending'`.execute(db);
  await sql`
    CREATE INDEX approvals_standing ON approvals (content, terms)
      WHERE status IN ('pending', 'approved', 'rejected')`.execute(db);
  await sql`
    CREATE INDEX approvals_pending_identity ON approvals (identity)
      WHERE status = 'pending'`.execute(db);
  await sql`CREATE INDEX approvals_due ON approvals (expires_at) WHERE status = 'pending'`.execute(
    db,
  );
  await sql`
    CREATE INDEX approvals_grant_due ON approvals (grant_expires_at)
      WHERE status = 'approved'`.execute(db);
  await sql`CREATE INDEX approvals_tenant ON approvals (tenant, id DESC)`.execute(db);
  await sql`
    CREATE INDEX approvals_pending_tenant ON approvals (tenant, id DESC)
      WHERE status = 'pending'`.execute(db);
  await sql`CREATE INDEX approvals_requester ON approvals (requester, id DESC)`.execute(db);
  await sql`CREATE INDEX approvals_subject ON approvals (subject, id DESC)`.execute(db);
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`DROP TABLE approvals`.execute(db);
}
