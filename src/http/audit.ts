import { Type } from '@sinclair/typebox';
import { InvalidRequest } from '../errors.js';
import { listOf, literals, page, shortText, tenantName, timestamp } from './fields.js';
import { guardedRoute, type Route } from './route.js';
import type { Services } from './services.js';
import { reachOf } from './reach.js';

const listing = Type.Object(
  {
    tenant: Type.Optional(tenantName),
    kind: Type.Optional(shortText),
    subject: Type.Optional(shortText),
    actor: Type.Optional(shortText),
    action: Type.Optional(shortText),
    decision: Type.Optional(literals(['allow', 'deny', 'approval_required'])),
    from: Type.Optional(timestamp),
    to: Type.Optional(timestamp),
    ...page,
  },
  { additionalProperties: false },
);

/** A decision or a change as the audit keeps it; members that do not apply are left out. */
const AuditEvent = Type.Object(
  {
    id: Type.String(),
    seq: Type.Integer(),
    at: timestamp,
    tenant: Type.Optional(tenantName),
    kind: Type.String({ description: '`decision`, `rules.changed`, `approval.opened`, …' }),
    actor: Type.String(),
    subject: Type.Optional(Type.String()),
    action: Type.Optional(Type.String()),
    resource: Type.Optional(Type.String()),
    decision: Type.Optional(Type.String()),
    reason: Type.Optional(Type.String()),
    rules: Type.Optional(Type.Array(Type.Unknown())),
    revision: Type.Optional(Type.Integer()),
    bundle: Type.Optional(Type.Integer()),
    commit: Type.Optional(Type.String()),
    request_id: Type.Optional(Type.String()),
    approval_id: Type.Optional(Type.String()),
    ip: Type.Optional(Type.String()),
    detail: Type.Optional(Type.Unknown()),
  },
  { $id: 'AuditEvent' },
);

/** Milliseconds, a little more than looking for a page takes at most. */
const LOOK_UP_TIME = 15_000;

/** `GET /v1/audit`: the events that the credential may read, newest first. */
export function auditRoutes({ findEvents }: Pick<Services, 'findEvents'>): Route[] {
  return [
    guardedRoute({
      method: 'GET',
      path: '/v1/audit',
      summary: 'Decisions and changes, newest first',
      permission: 'audit:read',
      answerTime: LOOK_UP_TIME,
      answers: { 200: { description: 'A page of events.', schema: listOf(AuditEvent) } },
      query: listing,
      handle: async ({ caller, query }) => {
        const { from, to, tenant: named, ...rest } = query;
        const tenant = reachOf(caller, 'audit:read', named);
        const filter = {
          ...rest,
          ...(tenant === undefined ? {} : { tenant }),
          ...(from === undefined ? {} : { from: instant('from', from) }),
          ...(to === undefined ? {} : { to: instant('to', to) }),
        };
        return { status: 200, body: await findEvents(filter) };
      },
    }),
  ];
}

function instant(name: string, text: string): Date {
  const at = new Date(text);
  // `Date` takes the 31st of February for a day in March.
  const day = new Date(`${text.slice(0, 10)}T00:00:00Z`);
  if (!Number.isNaN(at.getTime()) && day.toJSON()?.startsWith(text.slice(0, 10))) return at;
  throw new InvalidRequest('the query is not valid', [
    {
      path: `/${name}`,
      message: `\`${text}\` is no date and time; write \`2026-03-30T10:00:00Z\``,
    },
  ]);
}
