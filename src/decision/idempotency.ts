import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { sql } from 'kysely';
import { Conflict, IdempotencyKeyReused, InvalidRequest } from '../errors.js';
import type { Database } from '../platform/database.js';
import { isStoreFailure } from '../platform/store-failure.js';
import { canonicalJson, sha256Hex } from '../platform/json.js';
import type { JsonValue } from '../vocabulary.js';

/** How long an answer is kept for repetitions. */
const KEPT = '10 minutes';
/** Milliseconds that a repetition waits for the answer to the first call, and between two looks. */
const PATIENCE = 5_000;
const LOOK_AGAIN = 50;
/** A claim whose server died may be taken over after this long. */
const ABANDONED = '2 minutes';

/** A call that carries an `Idempotency-Key`. */
export interface RepeatableCall {
  /** The caller's id: keys of one caller are never another's. */
  readonly caller: string;
  readonly key: string;
  readonly path: string;
  readonly body: JsonValue;
}

/** The right to answer a call first; held until the answer is kept or the claim released. */
export interface Claim {
  readonly caller: string;
  readonly key: string;
  /** SHA-256 (hex) of path and body: the same key with another body is refused. */
  readonly body: string;
  readonly claim: string;
}

/**
 * Answers a call once: a repetition within 10 minutes gets the answer that the first one got. Where
 * the first one ends in an error, a repetition may try again. Throws `InvalidRequest` where the key
 * is not 1 to 255 visible ASCII characters, `IdempotencyKeyReused` where it came with another body,
 * `Conflict` where the first call is still being answered after `wait` milliseconds.
 */
export async function idempotently<Result>(
  database: Database,
  { caller, key, path, body }: RepeatableCall,
  answer: (claim: Claim) => Promise<Result>,
  wait = PATIENCE,
): Promise<Result> {
  if (!/^[\x21-\x7e]{1,255}$/.test(key)) {
    throw new InvalidRequest(
      'the header `Idempotency-Key` must be 1 to 255 visible ASCII characters',
    );
  }
  const wanted = {
    caller,
    key,
    body: sha256Hex(`${path}\n${canonicalJson(body)}`),
    claim: randomUUID(),
  };
  const kept = await claimOrWait(database, wanted, wait).catch((error: unknown) => {
    // A claim that was not confirmed may be there: a repetition must not wait for it.
    if (isStoreFailure(error)) void releaseClaim(database, wanted).catch(() => undefined);
    throw error;
  });
  if (kept !== undefined) return JSON.parse(kept) as Result;
  try {
    const result = await answer(wanted);
    await keepAnswer(database, wanted, JSON.stringify(result));
    return result;
  } catch (error) {
    // What cannot be released is taken over in a while; the error is what counts.
    await releaseClaim(database, wanted).catch(() => undefined);
    throw error;
  }
}

interface Row {
  readonly body: string;
  readonly claim: string;
  readonly answer: string | null;
}

/** Claims a call; or finds its answer, as text, once it is there. */
async function claimOrWait(
  database: Database,
  wanted: Claim,
  wait: number,
): Promise<string | undefined> {
  for (let waited = 0; ; waited += LOOK_AGAIN) {
    if (waited === 0 || !(await isAnswering(database, wanted))) {
      const found = await claimCall(database, wanted);
      if (found !== 'answering') return found?.answer;
    }
    if (waited >= wait) {
      throw new Conflict('the first request with this `Idempotency-Key` is still being answered', {
        retryAfter: 1,
      });
    }
    await delay(LOOK_AGAIN);
  }
}

/** Whether somebody else is still at it; only looks, and so may be asked often. */
async function isAnswering(database: Database, { caller, key }: Claim): Promise<boolean> {
  const { rows } = await sql`
    SELECT 1 FROM idempotent_answers AS kept
    WHERE caller = ${caller} AND key = ${key} AND answer IS NULL AND NOT ${isOver}`.execute(
    database,
  );
  return rows.length > 0;
}

/** Undefined where the call is claimed. */
async function claimCall(
  database: Database,
  wanted: Claim,
): Promise<{ readonly answer: string } | 'answering' | undefined> {
  const { caller, key, body, claim } = wanted;
  // One statement: of two that race, the second sees the first's row.
  const { rows } = await sql<Row>`
    INSERT INTO idempotent_answers AS kept (caller, key, body, claim)
    VALUES (${caller}, ${key}, ${body}, ${claim})
    ON CONFLICT (caller, key) DO UPDATE SET
      body       = CASE WHEN ${isOver} THEN excluded.body ELSE kept.body END,
      claim      = CASE WHEN ${isOver} THEN excluded.claim ELSE kept.claim END,
      answer     = CASE WHEN ${isOver} THEN NULL ELSE kept.answer END,
      claimed_at = CASE WHEN ${isOver} THEN clock_timestamp() ELSE kept.claimed_at END
    RETURNING body, claim, answer`.execute(database);
  const [row] = rows;
  if (row === undefined || row.claim === claim) return undefined;
  if (row.body !== body) {
    throw new IdempotencyKeyReused(
      'this `Idempotency-Key` came before with another body; use a new key for a new request',
    );
  }
  return row.answer === null ? 'answering' : { answer: row.answer };
}

const isOver = sql`(
  kept.claimed_at < clock_timestamp() - ${KEPT}::interval
  OR kept.answer IS NULL AND kept.claimed_at < clock_timestamp() - ${ABANDONED}::interval)`;

/**
 * Keeps the answer for repetitions; in the transaction that spends a grant, where one is spent.
 * Throws `Conflict` where another call has taken the claim over: it answers, and this one must not.
 */
export async function keepAnswer(database: Database, claim: Claim, answer: string): Promise<void> {
  const { numAffectedRows = 0n } = await sql`
    UPDATE idempotent_answers SET answer = ${answer}
    WHERE caller = ${claim.caller} AND key = ${claim.key} AND claim = ${claim.claim}`.execute(
    database,
  );
  if (numAffectedRows === 0n) {
    throw new Conflict('another call with this `Idempotency-Key` has taken over; repeat it', {
      retryAfter: 1,
    });
  }
}

/** Gives a claim back. What was kept with a grant that was spent stays. */
async function releaseClaim(database: Database, claim: Claim): Promise<void> {
  await sql`
    DELETE FROM idempotent_answers
    WHERE caller = ${claim.caller} AND key = ${claim.key} AND claim = ${claim.claim}
      AND answer IS NULL`.execute(database);
}

/** Forgets answers that no repetition may have any more. */
export async function forgetOldAnswers(database: Database): Promise<void> {
  await sql`
    DELETE FROM idempotent_answers
    WHERE claimed_at < clock_timestamp() - ${KEPT}::interval`.execute(database);
}
