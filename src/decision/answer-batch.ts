import { InvalidRequest } from '../errors.js';
import type { Caller } from '../identity/caller.js';
import type { Snapshot } from '../policy/snapshot.js';
import type { Answer, AnswerBody } from './answer.js';
import { authorizeQuestion, type Origin } from './authorize-question.js';
import { type BatchBody, parseBatchItem } from './check-schema.js';
import type { Reading } from './evaluation.js';
import { readPolicy } from './read-policy.js';

/** Items of one batch that may open approvals. */
const MAX_OPENINGS = 20;

/** One place of a batch's results: the answer, or a problem document that says why there is none. */
export type BatchResult = AnswerBody | { readonly error: object };

/** The answer to `POST /check/batch`. */
export interface BatchAnswer {
  /** In the order of the checks. */
  readonly results: readonly BatchResult[];
  readonly revision: number;
}

/** An item that was decided; its answer may be given once `recorded` has resolved. */
export interface DecidedItem {
  readonly answer: Answer;
  readonly recorded: Promise<void>;
}

/** How the items of a batch are answered. */
export interface ItemAnswering {
  decide(reading: Reading): Promise<DecidedItem>;
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
  { checks, defaults }: BatchBody,
  { origin, policy, answering }: { origin: Origin; policy: Snapshot; answering: ItemAnswering },
): Promise<BatchAnswer> {
  const readings = checks.map((item) => {
    try {
      return readPolicy(authorizeQuestion(caller, parseBatchItem(item, defaults), origin), policy);
    } catch (error) {
      return { error: answering.describeError(error) };
    }
  });
  const decided: (DecidedItem | { readonly error: object })[] = [];
  for (const reading of readings) {
    decided.push('error' in reading ? reading : await decideItem(reading, answering));
  }
  const results = await Promise.all(decided.map((item) => resultOf(item, answering)));
  return { results, revision: policy.revision };
}

async function decideItem(
  reading: Reading,
  answering: ItemAnswering,
): Promise<DecidedItem | { readonly error: object }> {
  try {
    return await answering.decide(reading);
  } catch (error) {
    return { error: answering.describeError(error) };
  }
}

async function resultOf(
  item: DecidedItem | { readonly error: object },
  answering: ItemAnswering,
): Promise<BatchResult> {
  if ('error' in item) return item;
  try {
    await item.recorded;
    return item.answer.body;
  } catch (error) {
    return { error: answering.describeError(error) };
  }
}

/** Throws `InvalidRequest` where more items may open approvals than one batch can. */
export function refuseManyOpenings({ checks, defaults }: BatchBody): void {
  const opens = (item: unknown): boolean => {
    const own = typeof item === 'object' && item !== null && 'approval' in item;
    return (own ? item.approval : defaults?.approval) === 'request';
  };
  const count = checks.filter(opens).length;
  if (count <= MAX_OPENINGS) return;
  throw new InvalidRequest('the batch opens too many approvals', [
    {
      path: '/checks',
      message: `${count} items may open approvals; send at most ${MAX_OPENINGS} with \`approval\` in one batch`,
    },
  ]);
}
