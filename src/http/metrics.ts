import { guardedRoute, publicRoute, type Route } from './route.js';
import type { Services } from './services.js';

/** `GET /metrics`, in Prometheus' text format. They tell of no tenant, so a credential of one will do. */
export function metricsRoutes({ metrics, metricsPublic }: Services): Route[] {
  const at = {
    method: 'GET',
    path: '/metrics',
    summary: "What this server does, in Prometheus' text format",
    answers: { 200: { description: 'The metrics.', text: 'text/plain' } },
  } as const;
  const handle = async () => ({
    status: 200,
    text: await metrics.registry.metrics(),
    headers: { 'Content-Type': metrics.registry.contentType },
  });
  if (metricsPublic) return [publicRoute({ ...at, handle })];
  return [guardedRoute({ ...at, permission: 'metrics:read', handle })];
}
