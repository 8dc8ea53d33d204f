import { type Kysely, sql } from 'kysely';

/**
 * Counters of rate limits, where there is no Redis. Unlogged: they are written with every check that
 * a limit speaks of, and worth no more than a period. A crash of Postgres empties them.
 *
 * `take_limits` is the formula of `governance/sliding-window.ts`, all demands of a check in one
 * statement. Locks are taken in one order, so that checks never wait for each other in a circle; each
 * statement after them sees what was committed before. It answers with what it found before taking.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    CREATE UNLOGGED TABLE limit_counters (
      counter    text NOT NULL,
      bucket     bigint NOT NULL,
      used       integer NOT NULL,
      expires_at bigint NOT NULL,
      PRIMARY KEY (counter, bucket)
    ) WITH (fillfactor = 70)`.execute(db);
  await sql`CREATE INDEX limit_counters_expire ON limit_counters (expires_at)`.execute(db);

  await sql`
    CREATE FUNCTION take_limits(
      spend boolean, at bigint, counters text[], periods bigint[], counts bigint[]
    ) RETURNS jsonb LANGUAGE plpgsql AS $$
    DECLARE
      present bigint;
      found   jsonb;
      allowed boolean;
    BEGIN
      IF spend THEN
        PERFORM pg_advisory_xact_lock(7400005, lock)
          FROM (SELECT DISTINCT hashtext(c) AS lock FROM unnest(counters) AS c ORDER BY 1) AS locks;
      END IF;
      present := coalesce(at, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint);

      SELECT jsonb_agg(uses ORDER BY place), bool_and(total < most) INTO found, allowed
        FROM (
          SELECT d.place, d.most, coalesce(sum(c.used), 0) AS total,
                 coalesce(jsonb_agg(jsonb_build_array(c.bucket, c.used))
                          FILTER (WHERE c.bucket IS NOT NULL), '[]') AS uses
            FROM unnest(counters, periods, counts) WITH ORDINALITY AS d (counter, period, most, place)
            LEFT JOIN limit_counters c
              ON c.counter = d.counter AND c.bucket >= present * 60 / d.period - 60
           GROUP BY d.place, d.most
        ) AS readings;

      IF allowed AND spend THEN
        DELETE FROM limit_counters c
          USING unnest(counters, periods) AS d (counter, period)
          WHERE c.counter = d.counter AND c.bucket < present * 60 / d.period - 60;
        INSERT INTO limit_counters AS c (counter, bucket, used, expires_at)
          SELECT d.counter, present * 60 / d.period, 1, present + d.period * 62 / 60 + 60000
            FROM unnest(counters, periods) AS d (counter, period)
          ON CONFLICT (counter, bucket) DO UPDATE SET used = c.used + 1;
        -- Counters that nobody asks for any more go now and then, a few at a time.
        IF random() < 0.002 THEN
          DELETE FROM limit_counters WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM limit_counters WHERE expires_at <= present
             LIMIT 5000 FOR UPDATE SKIP LOCKED));
        END IF;
      END IF;
      RETURN jsonb_build_object('now', present, 'uses', found);
    END $$`.execute(db);
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`DROP FUNCTION take_limits`.execute(db);
  await sql`DROP TABLE limit_counters`.execute(db);
}
