import { InvalidRequest } from '../errors.js';
import type { Caller } from '../identity/caller.js';
import type { Eventual } from '../platform/eventual.js';
import { takeTurns } from '../platform/turns.js';
import type { Snapshot } from '../policy/snapshot.js';
import type { Answer, AnswerBody } from './answer.js';
import { authorizeQuestion, type Origin } from './authorize-question.js';
import { type BatchBody, parseBatchItem } from './check-schema.js';
import type { Reading } from './evaluation.js';
import { readPolicy } from './read-policy.js';

/** Items of one batch that may open approvals. */
const MAX_OPENINGS = 20;

/** Items decided between two looks at the time. */
const ITEMS_OF_A_LOOK = 32;

/** One place of a batch's results: the answer, or a problem document that says why there is none. */
export type BatchResult = AnswerBody | { readonly error: object };

/** The answer to `POST /check/batch`. */
export interface BatchAnswer {
  /** In the order of the checks. */
  readonly results: readonly BatchResult[];
  readonly revision: number;
}

/** What the items of a batch are answered by. */
export interface BatchContext {
  readonly origin: Origin;
  /** In force when the batch begins. */
  readonly policy: Snapshot;
  /** Decides without waiting for the record. */
  decide(reading: Reading): Eventual<Answer>;
  /** The record of the latest decision, to be awaited; undefined where it is kept already. */
  recorded(): Promise<void> | undefined;
  /** The problem document of an error. */
  describeError(error: unknown): object;
}

/**
 * Answers the items as if asked one after another, all from one snapshot: first everything is read
 * of the policy, in one synchronous pass, then each item is decided, and at last the answers wait for
 * their records together. An item's error stands in its place and spoils nothing else.
 */
export async function answerBatch(
  caller: Caller,
  checks: BatchBody['checks'],
  defaults: BatchBody['defaults'],
  context: BatchContext,
): Promise<BatchAnswer> {
  const { policy } = context;
  const { revision } = policy;
  const readings = checks.map((item) => readItem(caller, item, defaults, context));
  const results: BatchResult[] = [];
  const records: Promise<void>[] = [];
  const turns = takeTurns();
  for (const [index, reading] of readings.entries()) {
    if (index % ITEMS_OF_A_LOOK === 0 && turns.isOver()) await turns.next();
    if ('error' in reading) {
      results.push(reading);
      continue;
    }
    try {
      const answer = context.decide(reading);
      results.push((answer instanceof Promise ? await answer : answer).body);
    } catch (error) {
      results.push({ error: context.describeError(error) });
      continue;
    }
    const record = context.recorded();
    if (record !== undefined) {
      records.push(
        record.catch((error: unknown) => {
          // An answer whose record is not kept must not be given.
          results[index] = { error: context.describeError(error) };
        }),
      );
    }
  }
  await Promise.all(records);
  return { results, revision };
}

function readItem(
  caller: Caller,
  item: unknown,
  defaults: BatchBody['defaults'],
  { origin, policy, describeError }: BatchContext,
): Reading | { readonly error: object } {
  try {
    return readPolicy(authorizeQuestion(caller, parseBatchItem(item, defaults), origin), policy);
  } catch (error) {
    return { error: describeError(error) };
  }
}

/** Throws `InvalidRequest` where more items may open approvals than one batch can. */
export function refuseManyOpenings({ checks, defaults }: BatchBody): void {
  let count = 0;
  for (const item of checks) {
    const own = typeof item === 'object' && item !== null && 'approval' in item;
    if ((own ? item.approval : defaults?.approval) === 'request') count += 1;
  }
  if (count <= MAX_OPENINGS) return;
  throw new InvalidRequest('the batch opens too many approvals', [
    {
      path: '/checks',
      message: `${count} items may open approvals; send at most ${MAX_OPENINGS} with \`approval\` in one batch`,
    },
  ]);
}
