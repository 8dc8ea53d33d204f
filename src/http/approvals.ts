import { Type } from '@sinclair/typebox';
import { APPROVAL_STATUSES } from '../approvals/approval.js';
import type { Acting } from '../approvals/approval-service.js';
import { CheckBody } from '../decision/check-schema.js';
import { permits } from '../identity/permissions.js';
import { listOf, literals, page, tenantName, timestamp } from './fields.js';
import { type Call, guardedRoute, type Route } from './route.js';
import type { Services } from './services.js';

const listing = Type.Object(
  {
    status: Type.Optional(literals(APPROVAL_STATUSES)),
    view: Type.Optional(literals(['inbox', 'mine', 'all'])),
    tenant: Type.Optional(tenantName),
    ...page,
  },
  { additionalProperties: false },
);

const comment = Type.Object(
  { comment: Type.Optional(Type.String({ maxLength: 4_096 })) },
  { additionalProperties: false },
);

const approvers = Type.Object({
  roles: Type.Array(Type.String()),
  users: Type.Array(Type.String()),
});

const stage = Type.Object({
  approvers,
  count: Type.Integer({ description: 'Different persons who must approve.' }),
  votes: Type.Array(
    Type.Object({
      by: Type.String(),
      decision: literals(['approve', 'reject']),
      at: timestamp,
      comment: Type.Union([Type.String(), Type.Null()]),
    }),
  ),
});

const anyObject = Type.Record(Type.String(), Type.Unknown());

const check = Type.Object({
  tenant: tenantName,
  subject: Type.Object({ type: Type.String(), id: Type.String(), properties: anyObject }),
  action: Type.Object({ name: Type.String(), properties: anyObject }),
  resource: Type.Object({ type: Type.String(), id: Type.String(), properties: anyObject }),
  context: anyObject,
});

const keptRule = Type.Object({
  id: Type.String(),
  digest: Type.String(),
  risk: literals(['low', 'medium', 'high', 'critical']),
  description: Type.Optional(Type.String()),
});

const grant = Type.Object({
  mode: literals(['once', 'window']),
  expires_at: timestamp,
  used_at: Type.Optional(timestamp),
});

const Approval = Type.Object(
  {
    id: Type.String(),
    tenant: tenantName,
    status: literals(APPROVAL_STATUSES),
    reason: Type.Optional(Type.Literal('policy_changed')),
    requester: Type.String({ description: 'The person who asked.' }),
    check,
    rules: Type.Array(keptRule),
    stages: Type.Array(stage, { description: 'Met in this order.' }),
    opened_at: timestamp,
    expires_at: timestamp,
    decided_at: Type.Optional(timestamp),
    grant: Type.Optional(grant),
    revision: Type.Integer(),
  },
  { $id: 'Approval' },
);

const STEPS = [
  {
    verb: 'approve',
    summary: 'Approve the open stage',
    codes: ['not_found', 'not_an_approver', 'self_approval', 'already_decided', 'conflict'],
  },
  {
    verb: 'reject',
    summary: 'Reject the request',
    codes: ['not_found', 'not_an_approver', 'self_approval', 'already_decided', 'conflict'],
  },
  {
    verb: 'cancel',
    summary: 'Take the request back',
    codes: ['not_found', 'already_decided'],
  },
  {
    verb: 'revoke',
    summary: 'Take the grant back',
    codes: ['not_found', 'not_an_approver', 'self_approval', 'already_decided', 'conflict'],
  },
] as const;

/** `/v1/approvals`: who may see and decide what is for the approval service to say. */
export function approvalRoutes(services: Services): Route[] {
  const { approvals, checks } = services;
  return [
    guardedRoute({
      method: 'GET',
      path: '/v1/approvals',
      summary: 'Requests for approval, newest first',
      answers: { 200: { description: 'A page of them.', schema: listOf(Approval) } },
      query: listing,
      handle: async (call) => ({
        status: 200,
        body: await approvals.list(actingOf(call, services), call.query),
      }),
    }),
    guardedRoute({
      method: 'POST',
      path: '/v1/approvals',
      summary: 'Ask for the approval that a check needs',
      answers: {
        201: { description: 'The new request.', schema: Approval },
        200: { description: 'The one that is pending for this check already.', schema: Approval },
      },
      codes: ['approval_not_needed', 'denied', 'revision_unavailable'],
      body: CheckBody,
      bodyUnchecked: true,
      handle: async (call) => {
        const { created, approval } = await checks.openApproval(call.caller, call.body, call);
        return { status: created ? 201 : 200, body: approval };
      },
    }),
    guardedRoute({
      method: 'GET',
      path: '/v1/approvals/:id',
      summary: 'One request',
      answers: { 200: { description: 'The request.', schema: Approval } },
      codes: ['not_found'],
      handle: async (call) => ({
        status: 200,
        body: await approvals.get(actingOf(call, services), idOf(call)),
      }),
    }),
    ...STEPS.map(({ verb, summary, codes }) =>
      guardedRoute({
        method: 'POST',
        path: `/v1/approvals/:id/${verb}`,
        summary,
        answers: { 200: { description: 'The request after it.', schema: Approval } },
        codes,
        body: comment,
        bodyOptional: true,
        handle: async (call) => ({
          status: 200,
          body: await approvals[verb](actingOf(call, services), idOf(call), call.body.comment),
        }),
      }),
    ),
  ];
}

function idOf({ params }: Pick<Call, 'params'>): string {
  return params.id ?? '';
}

/** The caller with what the policy in force gives it: the roles of its user, tenant by tenant. */
function actingOf({ caller, requestId }: Call, { current }: Services): Acting {
  const { user } = caller;
  return {
    caller,
    requestId,
    permits: (permission, tenant) => permits(caller, permission, tenant),
    rolesIn: (tenant) =>
      user === undefined
        ? []
        : current.snapshot.engine.rolesOf({
            tenant,
            subject: { type: 'user', id: user, properties: {} },
          }),
  };
}
