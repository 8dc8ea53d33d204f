import type { MatcherFunction } from './ordered-enforcer.js';
import { asText, stringOf } from './named-functions.js';
import type { RoleGraph } from './role-graph.js';

/** `g`, `g2`, … as functions for matchers, each over its own graph. */
export function roleFunctions(
  graphs: ReadonlyMap<string, RoleGraph>,
): ReadonlyMap<string, MatcherFunction> {
  return new Map([...graphs].map(([type, graph]) => [type, roleFunction(graph)]));
}

/** Reads its arguments as node-casbin's `g()` does: names may be nothing, the tenant may not. */
function roleFunction(graph: RoleGraph) {
  return (name: unknown, role: unknown, ...tenants: readonly unknown[]): boolean => {
    const [tenant] = tenants;
    if (tenants.length === 0) {
      return graph.hasLink(asText(name), asText(role));
    }
    if (tenant === null || tenant === undefined) {
      throw new TypeError('the tenant of a role relation is absent');
    }
    return graph.hasLink(asText(name), asText(role), stringOf(tenant));
  };
}
