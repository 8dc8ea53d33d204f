import { Type } from '@sinclair/typebox';
import { InvalidRequest } from '../errors.js';
import { literals, page, shortText, tenantName, timestamp } from './fields.js';
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

/** `GET /v1/audit`: the events that the credential may read, newest first. */
export function auditRoutes({ findEvents }: Pick<Services, 'findEvents'>): Route[] {
  return [
    guardedRoute({
      method: 'GET',
      path: '/v1/audit',
      permission: 'audit:read',
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
  if (!Number.isNaN(at.getTime())) return at;
  throw new InvalidRequest('the query is not valid', [
    {
      path: `/${name}`,
      message: `\`${text}\` is no date and time; write \`2026-03-30T10:00:00Z\``,
    },
  ]);
}
