import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import type { Database } from './database.js';
import type { Logger } from './log.js';
import { repeat } from './repeat.js';

/** Where Postgres tells every listener that there is one more server. */
export const SERVERS_CHANNEL = 'countersign_servers';

/** Milliseconds between two calls of a server, and after the last one until it no longer counts. */
const CALL_EVERY = 5_000;
const COUNTS_FOR = 3 * CALL_EVERY;

/** Counts that are remembered: the highest of them holds, as a Postgres that was restored may know few. */
const REMEMBERED = 3;

/** One of several servers. */
export interface Standing {
  /** How many there are, this one among them. */
  readonly count: number;
  /** Which of them this one is, from 0: each another, where all have seen the same servers. */
  readonly place: number;
}

const ALONE: Standing = { count: 1, place: 0 };

/** The servers that share a database; a worker is one. */
export interface ServerRoll {
  /** How it was when Postgres last answered; alone where it never did. */
  readonly standing: Standing;
  /** Says that this server is there, and counts; rejects where Postgres does not answer. */
  call(): Promise<void>;
  /** The same as soon as may be, as is done every few seconds: another has come. */
  callSoon(): void;
  /** Says no more, and that this server is gone, should Postgres hear it. */
  leave(): Promise<void>;
}

/** What entering the roll needs. */
export interface RollOptions {
  readonly database: Database;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  /** Told how many servers there are, whenever they were counted. */
  counted?(count: number): void;
}

/**
 * Enters this server into the roll that Postgres keeps: each server calls every 5 seconds and counts for
 * 15, by the clock of Postgres. One that is new is told of on `SERVERS_CHANNEL`, so that the others count
 * at once. The highest of the latest three counts holds.
 */
export function enterRoll({ database, log, counted }: RollOptions): ServerRoll {
  const id = randomUUID();
  let latest: readonly Standing[] = [];
  const standingNow = (): Standing =>
    latest.reduce((most, one) => (one.count > most.count ? one : most), latest[0] ?? ALONE);
  const call = async (): Promise<void> => {
    // What is committed by then is counted: of two servers that come at once, one sees both.
    await sayThere(database, id);
    const standing = await countServers(database, id);
    latest = [standing, ...latest.slice(0, REMEMBERED - 1)];
    counted?.(standingNow().count);
  };
  let failing = false;
  // While Postgres is away the last counts hold.
  const callAgain = async (): Promise<void> => {
    try {
      await call();
      if (failing) log.info('servers are counted again');
      failing = false;
    } catch (error) {
      if (!failing) log.warn({ err: error }, 'servers cannot be counted; the last count holds');
      failing = true;
    }
  };
  const calling = repeat('counting servers', CALL_EVERY, callAgain, log);
  return {
    get standing() {
      return standingNow();
    },
    call,
    callSoon: () => calling.soon(),
    async leave() {
      await calling.stop();
      await sql`DELETE FROM servers WHERE id = ${id}`.execute(database).catch(() => undefined);
    },
  };
}

/** By the clock of Postgres, so that those of the servers need not agree. */
async function sayThere(database: Database, id: string): Promise<void> {
  await sql`
    WITH gone AS (
      DELETE FROM servers WHERE id IN (
        SELECT id FROM servers
        WHERE seen_at < clock_timestamp() - ${COUNTS_FOR} * interval '1 ms' AND id <> ${id}
        FOR UPDATE SKIP LOCKED)
    ), there AS (
      INSERT INTO servers (id, seen_at) VALUES (${id}, clock_timestamp())
      ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at
      RETURNING xmax = 0 AS is_new
    )
    SELECT pg_catalog.pg_notify(${SERVERS_CHANNEL}, '') FROM there WHERE is_new`.execute(database);
}

async function countServers(database: Database, id: string): Promise<Standing> {
  const { rows } = await sql<Standing>`
    SELECT count(*)::int AS count, (count(*) FILTER (WHERE id < ${id}))::int AS place
    FROM servers
    WHERE seen_at >= clock_timestamp() - ${COUNTS_FOR} * interval '1 ms'`.execute(database);
  return rows[0] ?? ALONE;
}
