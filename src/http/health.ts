import { Type } from '@sinclair/typebox';
import { Unavailable } from '../errors.js';
import { type PublicRoute, publicRoute } from './route.js';
import type { Services } from './services.js';

/** Monitors and load balancers add what they like. */
const anyQuery = Type.Object({}, { additionalProperties: true });

/** `GET /health`, `/health/ready` and `/health/live`. */
export function healthRoutes(services: Services): PublicRoute[] {
  const { health } = services;
  return [
    publicRoute({
      method: 'GET',
      path: '/health',
      query: anyQuery,
      handle: async () => {
        const checks = await health.checks();
        const failed = Object.entries(checks).filter(([, { status }]) => status === 'failed');
        if (failed.length === 0) return { status: 200, body: { status: 'ok', checks } };
        const names = failed.map(([name]) => `\`${name}\``).join(', ');
        throw new Unavailable(`failed: ${names}`, { members: { checks } });
      },
    }),
    publicRoute({
      method: 'GET',
      path: '/health/ready',
      query: anyQuery,
      handle: async () => {
        if (services.draining()) throw new Unavailable('this server is shutting down');
        if (!health.ready())
          throw new Unavailable('this server has no policy that is fresh enough');
        return { status: 200, body: { status: 'ok' } };
      },
    }),
    publicRoute({
      method: 'GET',
      path: '/health/live',
      query: anyQuery,
      handle: async () => ({ status: 200, body: { status: 'ok' } }),
    }),
  ];
}
