import { Type } from '@sinclair/typebox';
import { APPROVAL_STATUSES } from '../approvals/approval.js';
import type { Acting } from '../approvals/approval-service.js';
import { CheckBody } from '../decision/check-schema.js';
import { permits } from '../identity/permissions.js';
import { literals, page, tenantName } from './fields.js';
import { type Call, callMeta, guardedRoute, type Route } from './route.js';
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

/** `/v1/approvals`: who may see and decide what is for the approval service to say. */
export function approvalRoutes(services: Services): Route[] {
  const { approvals, checks } = services;
  return [
    guardedRoute({
      method: 'GET',
      path: '/v1/approvals',
      query: listing,
      handle: async (call) => ({
        status: 200,
        body: await approvals.list(actingOf(call, services), call.query),
      }),
    }),
    guardedRoute({
      method: 'POST',
      path: '/v1/approvals',
      body: CheckBody,
      bodyUnchecked: true,
      handle: async (call) => {
        const { created, approval } = await checks.openApproval(
          call.caller,
          call.body,
          callMeta(call),
        );
        return { status: created ? 201 : 200, body: approval };
      },
    }),
    guardedRoute({
      method: 'GET',
      path: '/v1/approvals/:id',
      handle: async (call) => ({
        status: 200,
        body: await approvals.get(actingOf(call, services), idOf(call)),
      }),
    }),
    ...(['approve', 'reject', 'cancel', 'revoke'] as const).map((verb) =>
      guardedRoute({
        method: 'POST',
        path: `/v1/approvals/:id/${verb}`,
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
  const { engine } = current.snapshot;
  const { user } = caller;
  return {
    caller,
    requestId,
    permits: (permission, tenant) => permits(caller, permission, tenant),
    rolesIn: (tenant) =>
      user === undefined
        ? []
        : engine.rolesOf({ tenant, subject: { type: 'user', id: user, properties: {} } }),
  };
}
