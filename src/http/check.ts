import { Type } from '@sinclair/typebox';
import type { Answer as Decided } from '../decision/answer.js';
import { BatchBody, CheckBody } from '../decision/check-schema.js';
import { writeAnswer, writeBatchAnswer } from '../decision/write-answer.js';
import { whenHere } from '../platform/eventual.js';
import { GOVERNANCE_KINDS, REASONS } from '../vocabulary.js';
import { literals, timestamp } from './fields.js';
import { Problem } from './problem.js';
import { type Answer, type CallBase, guardedRoute, type Route } from './route.js';
import type { Services } from './services.js';

const DECISIONS = ['allow', 'deny', 'approval_required'] as const;
const OUTCOMES = ['passed', 'denied', 'pending', 'granted', 'failed_closed'] as const;

const decidingRule = Type.Union([
  Type.Object({
    kind: Type.Literal('casbin'),
    rule: Type.Array(Type.String(), { minItems: 1, description: 'The Casbin rule, type first.' }),
  }),
  Type.Object({
    kind: literals(GOVERNANCE_KINDS),
    id: Type.String(),
    outcome: literals(OUTCOMES),
    message: Type.Optional(Type.String()),
  }),
]);

const traceStep = Type.Object({
  step: Type.String(),
  outcome: Type.String(),
  message: Type.Optional(Type.String()),
});

const trace = Type.Object({
  roles: Type.Array(Type.String()),
  bundle: Type.Union([
    Type.Null(),
    Type.Object({
      number: Type.Integer(),
      name: Type.String(),
      commit: Type.Optional(Type.String()),
    }),
  ]),
  steps: Type.Array(traceStep),
});

/** The answer to a check that was evaluated. */
export const Decision = Type.Object(
  {
    decision: literals(DECISIONS),
    allowed: Type.Boolean({ description: 'True with `allow` alone.' }),
    reason: literals([...REASONS.allow, ...REASONS.approval_required, ...REASONS.deny]),
    message: Type.String({ description: 'The same for people.' }),
    rules: Type.Array(decidingRule, { description: 'What decided.' }),
    approval: Type.Optional(
      Type.Object({ id: Type.String(), status: Type.String(), expires_at: timestamp }),
    ),
    rate_limit: Type.Optional(
      Type.Object({
        limit: Type.Integer(),
        remaining: Type.Integer(),
        reset: Type.Number({ description: 'Seconds.' }),
      }),
    ),
    retry_at: Type.Optional(timestamp),
    trace: Type.Optional(trace),
    revision: Type.Integer({ description: 'The policy as evaluated.' }),
    decision_id: Type.String(),
  },
  { $id: 'Decision' },
);

const batchAnswer = Type.Object(
  {
    results: Type.Array(Type.Union([Decision, Type.Object({ error: Problem })]), {
      description: 'In the order of `checks`.',
    }),
    revision: Type.Integer(),
  },
  { $id: 'BatchAnswer' },
);

const RATE_LIMIT_HEADERS = {
  'X-RateLimit-Limit': 'The tightest limit in force; with a rate-limit rule in force.',
  'X-RateLimit-Remaining': 'What is left of it.',
  'X-RateLimit-Reset': 'Seconds until one more unit of it is free.',
  'Retry-After': 'Seconds; with the reason `rate_limited`.',
};

/** `POST /check` and `/check/batch`: the check service reads the bodies and decides everything. */
export function checkRoutes({ checks }: Pick<Services, 'checks'>): Route[] {
  return [
    guardedRoute({
      method: 'POST',
      path: '/check',
      summary: 'May this subject do this action on this resource?',
      hot: true,
      body: CheckBody,
      bodyAsText: true,
      idempotent: true,
      answers: {
        200: { description: 'The decision.', schema: Decision, headers: RATE_LIMIT_HEADERS },
      },
      codes: ['conflict', 'idempotency_key_reused', 'revision_unavailable'],
      handle: (call) =>
        whenHere(checks.check(call.caller, call.body, call), (decided) =>
          asHttp(decided, isFresh(call)),
        ),
    }),
    guardedRoute({
      method: 'POST',
      path: '/check/batch',
      summary: 'Up to 1,000 checks, decided as if asked one after another, from one revision',
      hot: true,
      body: BatchBody,
      bodyUnchecked: true,
      items: { member: 'checks', room: () => checks.room() },
      idempotent: true,
      answers: { 200: { description: 'The decisions.', schema: batchAnswer } },
      codes: ['conflict', 'idempotency_key_reused', 'revision_unavailable'],
      handle: (call) =>
        whenHere(checks.checkBatch(call.caller, call.body, call), (body) => ({
          status: 200,
          json: isFresh(call) ? writeBatchAnswer(body) : JSON.stringify(body),
        })),
    }),
  ];
}

/** Whether the answer was made for this call. One that was kept may be of another version's making. */
function isFresh({ idempotencyKey }: CallBase): boolean {
  return idempotencyKey === undefined;
}

function asHttp({ body, retryAfter }: Decided, fresh: boolean): Answer {
  const json = fresh ? writeAnswer(body) : JSON.stringify(body);
  const limit = body.rate_limit;
  if (limit === undefined && retryAfter === undefined) return { status: 200, json };
  const headers: Record<string, string> = {};
  if (limit !== undefined) {
    headers['X-RateLimit-Limit'] = String(limit.limit);
    headers['X-RateLimit-Remaining'] = String(limit.remaining);
    headers['X-RateLimit-Reset'] = String(Math.ceil(limit.reset));
  }
  if (retryAfter !== undefined) headers['Retry-After'] = String(Math.ceil(retryAfter));
  return { status: 200, json, headers };
}
