import { Type } from '@sinclair/typebox';
import { Unavailable } from '../errors.js';
import { literals } from './fields.js';
import { type PublicRoute, publicRoute } from './route.js';
import type { Services } from './services.js';

/** Monitors and load balancers add what they like. */
const anyQuery = Type.Object({}, { additionalProperties: true });

const check = Type.Object({
  status: literals(['ok', 'failed', 'not_configured']),
  message: Type.Optional(Type.String()),
  age_seconds: Type.Optional(
    Type.Integer({ description: 'Of the policy: since Postgres last confirmed it.' }),
  ),
});

const ok = Type.Object({ status: Type.Literal('ok') });

const health = Type.Object(
  {
    status: Type.Literal('ok'),
    checks: Type.Object({
      database: check,
      redis: check,
      policy: check,
      audit: Type.Optional(check),
    }),
  },
  { $id: 'Health' },
);

/** `GET /health`, `/health/ready` and `/health/live`. */
export function healthRoutes(services: Services): PublicRoute[] {
  return [
    publicRoute({
      method: 'GET',
      path: '/health',
      summary: 'Whether everything that this server is set up with works: for monitors',
      answers: { 200: { description: 'It does.', schema: health } },
      codes: ['unavailable'],
      query: anyQuery,
      handle: async () => {
        const checks = await services.health.checks();
        const failed = Object.entries(checks).filter(([, { status }]) => status === 'failed');
        if (failed.length === 0) return { status: 200, body: { status: 'ok', checks } };
        const names = failed.map(([name]) => `\`${name}\``).join(', ');
        throw new Unavailable(`failed: ${names}`, { members: { checks } });
      },
    }),
    publicRoute({
      method: 'GET',
      path: '/health/ready',
      summary: 'Whether this server can answer checks: for load balancers',
      answers: { 200: { description: 'It can.', schema: ok } },
      codes: ['unavailable'],
      query: anyQuery,
      handle: async () => {
        if (services.draining()) throw new Unavailable('this server is shutting down');
        if (!services.health.ready())
          throw new Unavailable('this server has no policy that is fresh enough');
        return { status: 200, body: { status: 'ok' } };
      },
    }),
    publicRoute({
      method: 'GET',
      path: '/health/live',
      summary: 'Whether the process runs',
      answers: { 200: { description: 'It does.', schema: ok } },
      query: anyQuery,
      handle: async () => ({ status: 200, body: { status: 'ok' } }),
    }),
  ];
}
