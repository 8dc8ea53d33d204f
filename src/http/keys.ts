import { Type } from '@sinclair/typebox';
import { NewKey } from '../identity/new-key.js';
import { SYSTEM_ROLES } from '../identity/system-roles.js';
import { listOf, literals, page, tenantName, timestamp } from './fields.js';
import { type CallBase, guardedRoute, type Route } from './route.js';
import type { Services } from './services.js';

const listing = Type.Object(
  { tenant: Type.Optional(tenantName), ...page },
  { additionalProperties: false },
);

const view = {
  id: Type.String(),
  name: Type.String(),
  tenant: Type.Optional(tenantName),
  user: Type.Optional(Type.String()),
  person: Type.String({ description: 'Who counts once when the key approves.' }),
  roles: Type.Array(literals(SYSTEM_ROLES)),
  created_at: timestamp,
  created_by: Type.String(),
  expires_at: Type.Optional(timestamp),
};
const Key = Type.Object(view, { $id: 'Key' });
const MadeKey = Type.Object(
  {
    ...view,
    key: Type.String({ description: 'The credential; shown this once.' }),
    revision: Type.Integer(),
  },
  { $id: 'MadeKey' },
);
const Revoked = Type.Object({ revision: Type.Integer() });

/** `/v1/keys`: the credentials of services and people. */
export function keyRoutes({ keys }: Pick<Services, 'keys'>): Route[] {
  return [
    guardedRoute({
      method: 'POST',
      path: '/v1/keys',
      summary: 'Make an API key',
      permission: 'keys:write',
      body: NewKey,
      answers: { 201: { description: 'The key.', schema: MadeKey } },
      handle: async (call) => ({
        status: 201,
        body: await keys.create(call.caller, call.body, originOf(call)),
      }),
    }),
    guardedRoute({
      method: 'GET',
      path: '/v1/keys',
      summary: 'The keys that were not revoked, oldest first',
      permission: 'keys:read',
      query: listing,
      answers: { 200: { description: 'A page of them.', schema: listOf(Key) } },
      handle: async ({ caller, query }) => ({ status: 200, body: await keys.list(caller, query) }),
    }),
    guardedRoute({
      method: 'DELETE',
      path: '/v1/keys/:id',
      summary: 'End a key, on every server',
      permission: 'keys:write',
      answers: { 200: { description: 'The key is no longer good.', schema: Revoked } },
      codes: ['not_found', 'conflict'],
      handle: async (call) => ({
        status: 200,
        body: await keys.revoke(call.caller, call.params.id ?? '', originOf(call)),
      }),
    }),
  ];
}

function originOf({ requestId, ip }: CallBase) {
  return { requestId, ip };
}
