import type { ApprovalService } from '../approvals/approval-service.js';
import type { Limiter } from '../governance/limiter.js';
import type { Caller } from '../identity/caller.js';
import type { Clock } from '../platform/clock.js';
import { plainJsonFaults } from '../platform/json.js';
import type { CurrentPolicy } from '../policy/current-policy.js';
import type { JsonObject, JsonValue } from '../vocabulary.js';
import type { Answer } from './answer.js';
import {
  answerBatch,
  type BatchAnswer,
  type DecidedItem,
  refuseManyOpenings,
} from './answer-batch.js';
import { authorizeQuestion, type Origin } from './authorize-question.js';
import { type BatchBody, parseBatchBody, parseCheckBody } from './check-schema.js';
import { decide, type Stores } from './decide.js';
import type { Reading } from './evaluation.js';
import { type Claim, idempotently } from './idempotency.js';
import { openApproval, type RequestedApproval } from './open-approval.js';
import { policyAtLeast, readPolicy } from './read-policy.js';
import { type Ledger, recordingLater, spendAndAudit } from './steps/spend-and-audit.js';

/** Counts and times decisions. */
export interface DecisionMetrics {
  decided(answer: Answer['body'], seconds: number): void;
}

/** What the service is made of. */
export interface CheckServiceParts extends Omit<Ledger, 'approvals'> {
  readonly current: CurrentPolicy;
  readonly approvals: ApprovalService;
  readonly limiter: Limiter;
  readonly clock: Clock;
  readonly metrics: DecisionMetrics;
  /** The problem document of an error, for the items of a batch. */
  describeError(error: unknown, requestId: string): object;
}

/** What a call carries besides its body. */
export interface CallMeta extends Origin {
  /** The header `Idempotency-Key`. */
  readonly idempotencyKey?: string;
}

/** Answers checks for callers that were let through the door. */
export interface CheckService {
  /**
   * `POST /check`. Throws `InvalidRequest`, `Forbidden`, `Unavailable`, `RevisionUnavailable`,
   * `IdempotencyKeyReused`, `Conflict`.
   */
  check(caller: Caller, body: unknown, meta: CallMeta): Promise<Answer>;
  /** `POST /check/batch`: an item's fault stands in its place and spoils nothing else. */
  checkBatch(caller: Caller, body: unknown, meta: CallMeta): Promise<BatchAnswer>;
  /**
   * `POST /v1/approvals`. Throws `ApprovalNotNeeded` or `Denied`, with the decision, where there is
   * nothing to approve.
   */
  openApproval(caller: Caller, body: unknown, meta: Origin): Promise<RequestedApproval>;
}

/** Builds the service on its stores. */
export function createCheckService(parts: CheckServiceParts): CheckService {
  const { current, approvals, limiter, clock, metrics } = parts;

  const storesWith = (claim?: Claim, ledger: Ledger = parts): Stores => ({
    clock,
    approvals,
    limiter,
    settle: spendAndAudit(ledger, claim),
  });
  const timed = async (reading: Reading, stores = storesWith()): Promise<Answer> => {
    const start = performance.now();
    const answer = await decide(reading, stores);
    metrics.decided(answer.body, (performance.now() - start) / 1_000);
    return answer;
  };
  /** Decides without waiting for the record: those of a batch are committed together. */
  const decideItem = async (reading: Reading): Promise<DecidedItem> => {
    const later = recordingLater(parts.audit);
    const answer = await timed(reading, storesWith(undefined, { ...parts, audit: later.audit }));
    return { answer, recorded: later.recorded() };
  };
  const once = <Result>(
    path: string,
    caller: Caller,
    body: JsonValue,
    { idempotencyKey: key }: CallMeta,
    answer: (claim?: Claim) => Promise<Result>,
  ): Promise<Result> =>
    key === undefined
      ? answer()
      : idempotently(parts.database, { caller: caller.id, key, path, body }, answer);

  return {
    async check(caller, body, meta) {
      const parsed = parseCheckBody(body);
      const question = authorizeQuestion(caller, parsed, meta);
      return once('/check', caller, parsed as JsonObject, meta, async (claim) => {
        const policy = await policyAtLeast(current, parsed.min_revision);
        return timed(readPolicy(question, policy), storesWith(claim));
      });
    },

    async checkBatch(caller, body, meta) {
      const batch = parseBatchBody(body);
      refuseManyOpenings(batch);
      const describeError = (error: unknown) => parts.describeError(error, meta.requestId);
      return once('/check/batch', caller, repeatable(batch), meta, async () => {
        const policy = await policyAtLeast(current, batch.min_revision);
        const answering = { decide: decideItem, describeError };
        return answerBatch(caller, batch, { origin: meta, policy, answering });
      });
    },

    async openApproval(caller, body, meta) {
      const parsed = parseCheckBody(body);
      const question = authorizeQuestion(caller, { ...parsed, approval: 'request' }, meta);
      const policy = await policyAtLeast(current, parsed.min_revision);
      return openApproval(question, approvals, (asked, finder) =>
        timed(readPolicy(asked, policy), { ...storesWith(), approvals: finder }),
      );
    },
  };
}

/** A batch as one value to know it by: items that are no plain JSON all get the same error. */
function repeatable(batch: BatchBody): JsonValue {
  const checks = batch.checks.map((item) => (plainJsonFaults(item).length > 0 ? null : item));
  return { ...batch, checks } as JsonObject;
}
