import type { ApprovalService } from '../approvals/approval-service.js';
import type { AuditRecorder } from '../audit/recorder.js';
import type { Limiter } from '../governance/limiter.js';
import type { Caller } from '../identity/caller.js';
import type { Clock } from '../platform/clock.js';
import { type Eventual, whenHere } from '../platform/eventual.js';
import { isPlainJson } from '../platform/json.js';
import type { CurrentPolicy } from '../policy/current-policy.js';
import type { JsonObject, JsonValue } from '../vocabulary.js';
import type { Answer } from './answer.js';
import { answerBatch, type BatchAnswer, refuseManyOpenings } from './answer-batch.js';
import { authorizeQuestion, type Origin } from './authorize-question.js';
import { type BatchBody, parseBatchBody, parseCheckBody, readySchemas } from './check-schema.js';
import { decide, type Stores } from './decide.js';
import type { Reading } from './evaluation.js';
import { type Claim, idempotently } from './idempotency.js';
import { openApproval, type RequestedApproval } from './open-approval.js';
import { readPolicy, untilRevision } from './read-policy.js';
import { RecentChecks } from './recent-checks.js';
import { type Ledger, recordingLater, spendAndAudit } from './steps/spend-and-audit.js';

/** Counts and times decisions. */
export interface DecisionMetrics {
  decided(answer: Answer['body'], seconds: number): void;
}

/** What the service is made of. */
export interface CheckServiceParts extends Omit<Ledger, 'approvals' | 'audit'> {
  readonly audit: Ledger['audit'] & Pick<AuditRecorder, 'room'>;
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
  readonly idempotencyKey?: string | undefined;
}

/**
 * Answers checks for callers that were let through the door: at once where no store is asked, and
 * then it throws what it would reject with.
 */
export interface CheckService {
  /**
   * `POST /check`, `body` the text that was sent. Throws `InvalidRequest`, `Forbidden`, `Unavailable`,
   * `RevisionUnavailable`, `IdempotencyKeyReused`, `Conflict`.
   */
  check(caller: Caller, body: string, meta: CallMeta): Eventual<Answer>;
  /** `POST /check/batch`: an item's fault stands in its place and spoils nothing else. */
  checkBatch(caller: Caller, body: unknown, meta: CallMeta): Eventual<BatchAnswer>;
  /** Undefined where a batch may begin; else resolves once what it records has room. */
  room(): Promise<void> | undefined;
  /**
   * `POST /v1/approvals`. Throws `ApprovalNotNeeded` or `Denied`, with the decision, where there is
   * nothing to approve.
   */
  openApproval(caller: Caller, body: unknown, meta: Origin): Promise<RequestedApproval>;
}

/** Builds the service on its stores. */
export function createCheckService(parts: CheckServiceParts): CheckService {
  const { current, approvals, limiter, clock, metrics, database } = parts;
  readySchemas();
  const recent = new RecentChecks();

  const storesWith = (ledger: Ledger, claim?: Claim): Stores => ({
    clock,
    approvals,
    limiter,
    settle: spendAndAudit(ledger, claim),
  });
  const stores = storesWith(parts);
  const timed = (reading: Reading, stores: Stores): Eventual<Answer> => {
    const start = performance.now();
    return whenHere(decide(reading, stores), (answer) => {
      metrics.decided(answer.body, (performance.now() - start) / 1_000);
      return answer;
    });
  };
  const batchOf = (
    caller: Caller,
    { checks, defaults }: BatchBody,
    meta: CallMeta,
  ): Promise<BatchAnswer> => {
    // Decided without waiting for their records: those of a batch are committed together.
    const later = recordingLater(parts.audit);
    const stores = storesWith({ ...parts, audit: later.audit });
    return answerBatch(caller, checks, defaults, {
      origin: meta,
      policy: current.snapshot,
      decide: (reading) => timed(reading, stores),
      recorded: () => later.recorded(),
      describeError: (error) => parts.describeError(error, meta.requestId),
    });
  };

  return {
    check(caller, body, meta) {
      const asked = recent.asked(body);
      const { min_revision: revision } = asked.body;
      const question = authorizeQuestion(caller, asked.body, meta);
      const answer = (stores: Stores): Eventual<Answer> =>
        whenHere(untilRevision(current, caller, { revision, clock }), () =>
          timed(recent.read(asked, question, current.snapshot), stores),
        );
      const { idempotencyKey: key } = meta;
      if (key === undefined) return answer(stores);
      const call = { caller: caller.id, key, path: '/check', body: asked.body as JsonObject };
      return idempotently(database, call, async (claim) => answer(storesWith(parts, claim)));
    },

    checkBatch(caller, body, meta) {
      const batch = parseBatchBody(body);
      refuseManyOpenings(batch);
      const answer = (): Eventual<BatchAnswer> =>
        whenHere(untilRevision(current, caller, { revision: batch.min_revision, clock }), () =>
          batchOf(caller, batch, meta),
        );
      const { idempotencyKey: key } = meta;
      if (key === undefined) return answer();
      const call = { caller: caller.id, key, path: '/check/batch', body: repeatable(batch) };
      return idempotently(database, call, async () => answer());
    },

    room: () => parts.audit.room(),

    async openApproval(caller, body, meta) {
      const parsed = parseCheckBody(body);
      const question = authorizeQuestion(caller, { ...parsed, approval: 'request' }, meta);
      await untilRevision(current, caller, { revision: parsed.min_revision, clock });
      return openApproval(question, approvals, (asked, finder) =>
        timed(readPolicy(asked, current.snapshot), { ...stores, approvals: finder }),
      );
    },
  };
}

/** A batch as one value to know it by: items that are no plain JSON all get the same error. */
function repeatable(batch: BatchBody): JsonValue {
  const checks = batch.checks.map((item) => (isPlainJson(item) ? item : null));
  return { ...batch, checks } as JsonObject;
}
