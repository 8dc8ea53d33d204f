import { Type } from '@sinclair/typebox';
import { actorOf } from '../identity/caller.js';
import { MAX_CHANGED_RULES } from '../policy/change-rules.js';
import type { RuleInForce } from '../policy/rule-store.js';
import type { RuleLine } from '../vocabulary.js';
import { listOf, page, shortText, tenantName, timestamp } from './fields.js';
import { reachOf } from './reach.js';
import { guardedRoute, type Route } from './route.js';
import type { Services } from './services.js';

const listing = Type.Object(
  {
    tenant: Type.Optional(tenantName),
    ptype: Type.Optional(Type.String({ pattern: '^[pg]\\d{0,3}$' })),
    subject: Type.Optional(shortText),
    ...page,
  },
  { additionalProperties: false },
);

const line = Type.Unsafe<RuleLine>({
  type: 'array',
  items: { type: 'string' },
  minItems: 2,
  maxItems: 64,
  description: 'A Casbin line, its type first.',
});

const lines = Type.Optional(Type.Array(line, { maxItems: MAX_CHANGED_RULES }));

const ruleChange = Type.Object(
  {
    tenant: Type.Optional(tenantName),
    add: lines,
    remove: lines,
  },
  { additionalProperties: false, $id: 'RuleChange' },
);

const Rule = Type.Object(
  {
    rule: line,
    tenant: Type.Optional(tenantName),
    source: Type.Object({
      bundle: Type.Optional(Type.Object({ file: Type.String(), line: Type.Integer() })),
      admin: Type.Optional(Type.Object({ by: Type.String(), at: timestamp })),
    }),
  },
  { $id: 'Rule' },
);

const Changed = Type.Object({
  revision: Type.Integer(),
  added: Type.Integer(),
  removed: Type.Integer(),
});

/** Milliseconds for ten thousand lines, which may wait for the change before them. */
const CHANGE_TIME = 15_000;

/** `/v1/rules`: the Casbin rules in force, and those that admins add to the bundle's. */
export function ruleRoutes({ policy }: Pick<Services, 'policy'>): Route[] {
  return [
    guardedRoute({
      method: 'GET',
      path: '/v1/rules',
      summary: 'The rules in force, in the order of the engine, each with who holds it',
      permission: 'rules:read',
      query: listing,
      answers: { 200: { description: 'A page of them.', schema: listOf(Rule) } },
      handle: async ({ caller, query: { limit = 50, ...query } }) => {
        const tenant = reachOf(caller, 'rules:read', query.tenant);
        const { items, next } = await policy.listRules({ ...query, tenant, limit });
        return { status: 200, body: { items: items.map(shown), next } };
      },
    }),
    guardedRoute({
      method: 'POST',
      path: '/v1/rules',
      summary: 'Add and remove rules of the admins, all or nothing',
      permission: 'rules:write',
      answerTime: CHANGE_TIME,
      body: ruleChange,
      answers: { 200: { description: 'What changed.', schema: Changed } },
      codes: ['conflict', 'owned_by_bundle'],
      handle: async ({ caller, body: { tenant, add = [], remove = [] }, requestId }) => {
        reachOf(caller, 'rules:write', tenant);
        const { revision, added, removed } = await policy.changeRules({
          tenant,
          add,
          remove,
          callerTenant: caller.tenant,
          actor: actorOf(caller),
          requestId,
        });
        return { status: 200, body: { revision, added, removed } };
      },
    }),
  ];
}

function shown({ rule, tenant, source: { bundle, admin } }: RuleInForce): object {
  return {
    rule,
    ...(tenant === undefined ? {} : { tenant }),
    source: {
      ...(bundle === undefined ? {} : { bundle }),
      ...(admin === undefined ? {} : { admin: { by: admin.by, at: admin.at.toISOString() } }),
    },
  };
}
