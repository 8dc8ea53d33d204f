/** Casbin's role managers look this many levels up and no further. */
const MAX_LEVELS = 10;

/** Whether a name fits a pattern: `(name, pattern)`. */
export type RoleMatcher = (name: string, pattern: string) => boolean;

/**
 * The relations of one role type (`g`, `g2`, …) in all tenants. Answers as node-casbin's default role
 * manager does, at most 10 levels deep, but visits every role once (node-casbin's takes time
 * exponential in a clique), and keeps nothing of what it is asked (node-casbin's keeps every tenant).
 */
export class RoleGraph {
  readonly #matches: RoleMatcher | undefined;
  readonly #tenants = new Map<string, TenantRoles>();

  /**
   * @param rules the values of its rules in rank order, without the type
   * @param arity 2, or 3 where the third field names the tenant
   * @param matches the matching function named by `role_patterns`, if any
   */
  constructor(rules: Iterable<readonly string[]>, arity: 2 | 3, matches?: RoleMatcher) {
    this.#matches = matches;
    for (const [name = '', role = '', tenant = ''] of rules) {
      const key = arity === 3 ? tenant : '';
      const roles = this.#tenants.get(key) ?? new TenantRoles();
      this.#tenants.set(key, roles);
      roles.link(name, role);
    }
    if (matches) {
      for (const [tenant, roles] of this.#tenants) {
        this.#tenants.set(tenant, roles.withPatterns(matches));
      }
    }
  }

  /** Whether `name` has `role`, or is it. `tenant` is empty for role types of two fields. */
  hasLink(name: string, role: string, tenant = ''): boolean {
    if (name === role) {
      return true;
    }
    const roles = this.#tenants.get(tenant);
    if (!roles?.knows(name, this.#matches) || !roles.knows(role, this.#matches)) {
      return false;
    }
    return roles.reachable(name, this.#matches).has(role);
  }

  /** Every role of `name`, inherited ones too, nearest first, without itself. */
  rolesOf(name: string, tenant = ''): readonly string[] {
    const roles = this.#tenants.get(tenant);
    if (!roles?.knows(name, this.#matches)) {
      return [];
    }
    return [...roles.reachable(name, this.#matches)].filter((role) =>
      roles.knows(role, this.#matches),
    );
  }

  /** Whether `name` is the right-hand side of some rule of the tenant. */
  isRole(name: string, tenant = ''): boolean {
    return this.#tenants.get(tenant)?.targets.has(name) ?? false;
  }
}

/** The relations of one tenant: names in the order of their first appearance, each with its roles. */
class TenantRoles {
  readonly targets = new Set<string>();
  readonly #roles = new Map<string, Set<string>>();

  link(name: string, role: string): void {
    const roles = this.#add(name);
    this.#add(role);
    roles.add(role);
    this.targets.add(role);
  }

  knows(name: string, matches: RoleMatcher | undefined): boolean {
    if (!matches) {
      return this.#roles.has(name);
    }
    return [...this.#roles.keys()].some((pattern) => matches(name, pattern));
  }

  /** What `name` reaches in at most 10 steps, in breadth-first order, without itself. */
  reachable(name: string, matches: RoleMatcher | undefined): ReadonlySet<string> {
    const found = new Set<string>([name]);
    let level = [...(this.#roles.get(name) ?? []), ...this.#patternsOf(name, matches)];
    for (let depth = 1; depth <= MAX_LEVELS && level.length > 0; depth++) {
      const fresh = [...new Set(level)].filter((role) => !found.has(role));
      fresh.forEach((role) => found.add(role));
      level = fresh.flatMap((role) => [...(this.#roles.get(role) ?? [])]);
    }
    found.delete(name);
    return found;
  }

  /**
   * The relations as node-casbin widens them where a matching function is set: in the order of the
   * rules, each name that appears gets the patterns that it fits among those that appeared before.
   */
  withPatterns(matches: RoleMatcher): TenantRoles {
    const widened = new TenantRoles();
    for (const [name, roles] of this.#roles) {
      const ofName = widened.#addFitting(name, matches);
      for (const role of roles) {
        widened.#addFitting(role, matches);
        ofName.add(role);
      }
    }
    this.targets.forEach((role) => widened.targets.add(role));
    return widened;
  }

  #addFitting(name: string, matches: RoleMatcher): Set<string> {
    const roles = this.#add(name);
    this.#patternsOf(name, matches).forEach((pattern) => roles.add(pattern));
    return roles;
  }

  #patternsOf(name: string, matches: RoleMatcher | undefined): readonly string[] {
    if (!matches) {
      return [];
    }
    return [...this.#roles.keys()].filter((key) => key !== name && matches(name, key));
  }

  #add(name: string): Set<string> {
    const roles = this.#roles.get(name) ?? new Set<string>();
    this.#roles.set(name, roles);
    return roles;
  }
}
