import { sql } from 'kysely';
import type { DatabaseTransaction } from '../platform/database.js';

/** Serialises everything that writes rules; any constant would do. */
const RULES_LOCK = 7_400_008;

/**
 * Waits until nobody else changes rules, and lets this transaction write the table `casbin`. Always
 * taken before a revision is handed out, never after: a bundle of a million rules is written under
 * this lock, while keys and whatever else makes a revision go on.
 */
export async function lockRules(transaction: DatabaseTransaction): Promise<void> {
  await sql`SELECT pg_advisory_xact_lock(${RULES_LOCK})`.execute(transaction);
  // For the trigger that refuses writes from elsewhere.
  await sql`SELECT set_config('countersign.revision', 'next', true)`.execute(transaction);
}
