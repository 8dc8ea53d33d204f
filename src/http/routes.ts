import { approvalRoutes } from './approvals.js';
import { auditRoutes } from './audit.js';
import { bundleRoutes } from './bundles.js';
import { checkRoutes } from './check.js';
import { healthRoutes } from './health.js';
import { keyRoutes } from './keys.js';
import { metricsRoutes } from './metrics.js';
import { ruleRoutes } from './rules.js';
import type { Route } from './route.js';
import type { Services } from './services.js';

/** Every route of the server; docs/openapi.yaml describes them and a test holds the two together. */
export function allRoutes(services: Services): Route[] {
  return [
    ...checkRoutes(services),
    ...bundleRoutes(services),
    ...ruleRoutes(services),
    ...approvalRoutes(services),
    ...keyRoutes(services),
    ...auditRoutes(services),
    ...healthRoutes(services),
    ...metricsRoutes(services),
  ];
}
