import { sql } from 'kysely';
import { Unavailable } from '../errors.js';
import type { DatabaseTransaction } from '../platform/database.js';

/** Serialises everything that writes rules; any constant would do. */
const RULES_LOCK = 7_400_008;

/** Serialises bundles; any constant would do. */
const BUNDLES_LOCK = 7_400_009;

/**
 * Milliseconds that a change of the admin's waits for a line that a bundle is writing. Less than the
 * second after which Postgres looks for deadlocks: the bundle may be waiting for this change.
 */
const LINE_PATIENCE = 250;

/**
 * Milliseconds after which Postgres ends a transaction that holds the lock, and that nobody goes on
 * with: its connection went silent, and everybody else waits.
 */
const ABANDONED = 5_000;

/** Milliseconds that a transaction waits for the lock: less than for any answer of Postgres. */
const PATIENCE = 3_500;

/** What Postgres says where somebody else held a lock for too long. */
const HELD = '55P03';

/** How long a transaction may wait. */
export interface LockOptions {
  /** Milliseconds; 3,500 unless given. */
  readonly patience?: number;
}

/**
 * Waits until nobody else changes bundles, and lets this transaction write the table `casbin`: of that
 * what the bundle says, and the lines that nobody else holds. Taken before the lock of the rules, never
 * after: a bundle of a million rules is written under this lock, while other changes of rules go on.
 *
 * @throws Unavailable where others hold it for longer than the transaction may wait
 */
export async function lockBundles(
  transaction: DatabaseTransaction,
  options: LockOptions,
): Promise<void> {
  await lock(transaction, BUNDLES_LOCK, 'another server applies a bundle', options);
  await letWrite(transaction);
}

/**
 * Waits until nobody else changes rules, and lets this transaction write the table `casbin`. Always
 * taken before a revision is handed out, never after.
 *
 * @throws Unavailable where others hold it for longer than the transaction may wait
 */
export async function lockRules(
  transaction: DatabaseTransaction,
  options: LockOptions = {},
): Promise<void> {
  await lock(transaction, RULES_LOCK, 'another server changes rules', {
    ...options,
    abandoned: ABANDONED,
  });
  await letWrite(transaction);
}

/**
 * Lets `write` wait but shortly for lines that a bundle is writing: until that bundle is in force, or
 * is not, nobody can say what becomes of a change of them.
 *
 * @throws Unavailable where it meets such a line
 */
export async function besideBundles<Result>(
  transaction: DatabaseTransaction,
  write: () => Promise<Result>,
): Promise<Result> {
  await sql`SET LOCAL lock_timeout = ${sql.lit(LINE_PATIENCE)}`.execute(transaction);
  const result = await write().catch((error: unknown) => {
    throw isHeld(error) ? heldByBundle(error) : error;
  });
  await sql`SET LOCAL lock_timeout = ${sql.lit(PATIENCE)}`.execute(transaction);
  return result;
}

/** How one lock is taken. */
interface HoldOptions extends LockOptions {
  /** Milliseconds after which Postgres ends a holder that is silent; as its connection says unless given. */
  readonly abandoned?: number;
}

async function lock(
  transaction: DatabaseTransaction,
  key: number,
  holder: string,
  { patience = PATIENCE, abandoned }: HoldOptions,
): Promise<void> {
  // The bound comes with the lock: of a connection that goes silent while it waits nothing more is heard.
  const bound =
    abandoned === undefined
      ? sql``
      : sql`set_config('idle_in_transaction_session_timeout', ${String(abandoned)}, true),`;
  // In the order in which they are written.
  await sql`
    SELECT set_config('lock_timeout', ${String(patience)}, true), ${bound}
      pg_advisory_xact_lock(${key})`
    .execute(transaction)
    .catch((error: unknown) => {
      throw isHeld(error) ? heldByOthers(holder, error) : error;
    });
}

/** For the trigger that refuses writes from elsewhere. */
async function letWrite(transaction: DatabaseTransaction): Promise<void> {
  await sql`SELECT set_config('countersign.revision', 'next', true)`.execute(transaction);
}

function isHeld(error: unknown): boolean {
  return error instanceof Error && Reflect.get(error, 'code') === HELD;
}

function heldByOthers(holder: string, cause: unknown): Unavailable {
  return new Unavailable(
    `${holder}, and takes long; nothing was changed, try again when it is done`,
    { cause },
  );
}

function heldByBundle(cause: unknown): Unavailable {
  return new Unavailable(
    'a bundle that is being applied brings, moves or takes one of these lines; nothing was changed, try again when it is done',
    { cause },
  );
}
