import { readFileSync } from 'node:fs';
import type { Check, RuleLine } from '../src/vocabulary.js';

/** Rules of a model, and the checks that they are asked. */
export interface Workload {
  /** The text of the model. */
  readonly model: string;
  /** In rank order. */
  readonly rules: readonly RuleLine[];
  readonly checks: readonly Check[];
}

/** The default model, `models/rbac-tenant.conf`. */
export const RBAC_TENANT = readFileSync(
  new URL('../models/rbac-tenant.conf', import.meta.url),
  'utf8',
);

/** The model that Casbin calls RBAC with domains, as its examples have it: equality, and nobody denied. */
const RBAC_DOMAINS = `[request_definition]
r = sub, dom, obj, act

[policy_definition]
p = sub, dom, obj, act

[role_definition]
g = _, _, _

[policy_effect]
e = some(where (p.eft == allow))

[matchers]
m = g(r.sub, p.sub, r.dom) && r.dom == p.dom && r.obj == p.obj && r.act == p.act
`;

/** Rules of one tenant, unless all of them are fewer or one tenant is to hold them all. */
const TENANT_SIZE = 1_000;

/** The rules of a role: what it may do, what it inherits, and who has it. */
const RULES_PER_ROLE = 20;

/** What a role may read: seven rules each, one of them on a resource group. */
const KINDS = ['document', 'report', 'invoice', 'ticket', 'dashboard', 'build'] as const;

/** A comment long enough for the workload's `require-comment` rule. */
const COMMENT = 'CHG-1234 the monthly review of what was read';

/** The number of the change in it: with another, it is another check, which is answered alike. */
export const CHANGE_NUMBER = '1234';

/**
 * RBAC with tenants as a real customer base has it: tenants of 1,000 rules, of which a third are
 * permissions of 50 roles (patterns, resource groups, a few denials), the rest the roles' inheritance
 * and 550 users' roles. `tenants: 1` puts every rule into one tenant.
 *
 * The checks go over all tenants, users and kinds evenly, in an order that looks random and is the
 * same in every run. Of 20, 14 are allowed by a role of the user's own, 3 by an inherited one, 1 by a
 * resource group; 1 is for something that nobody may read, 1 for what some roles are denied. With
 * `allowed`, all are of the first 18.
 */
export function rbacWorkload(
  size: number,
  options: { readonly tenants?: number; readonly checks?: number; readonly allowed?: boolean } = {},
): Workload {
  const tenants = options.tenants ?? Math.max(1, size / TENANT_SIZE);
  const perTenant = size / tenants;
  const roles = perTenant / RULES_PER_ROLE;
  if (!Number.isInteger(tenants) || !Number.isInteger(roles)) {
    throw new Error(`${size} rules do not make whole tenants: take 20, 100, 1,000 or thousands`);
  }
  const users = perTenant - roles * 9 + 1;
  const rules: RuleLine[] = [];
  for (let tenant = 0; tenant < tenants; tenant += 1) {
    addTenant(rules, `tenant-${tenant}`, roles, users);
  }
  const random = seededRandom(size);
  const checks = Array.from({ length: options.checks ?? 4_096 }, (_, index) => {
    const user = Math.floor(random() * users);
    const tenant = `tenant-${Math.floor(random() * tenants)}`;
    const turn = options.allowed ? index % 18 : index % 20;
    return checkOf(tenant, user, resourceOf(user % roles, turn, index));
  });
  return asSent({ model: RBAC_TENANT, rules, checks });
}

/**
 * The same tenants, roles and users under Casbin's own model, RBAC with domains: a permission names one
 * resource, where the default model has a pattern or a group.
 */
export function domainsWorkload(
  size: number,
  options: { readonly checks?: number } = {},
): Workload {
  const { rules, checks } = rbacWorkload(size, options);
  const whole = (path: string): string => path.replace(/\/[^/]*$/, '');
  const plain = ([ptype, ...values]: RuleLine): RuleLine => {
    const [name = '', second = '', third = '', action = '', eft = ''] = values;
    // A resource group holds one plan, of the role that has its number.
    if (ptype === 'g2') return ['p', name.replace('document:plan', 'role'), third, name, 'read'];
    if (ptype === 'g') return [ptype, ...values];
    // Nobody asks for what some are denied by its name alone.
    return ['p', name, second, eft === 'deny' ? third : whole(third), action];
  };
  return asSent({
    model: RBAC_DOMAINS,
    rules: rules.map(plain),
    checks: checks.map((check) => {
      const { type, id } = check.resource;
      return { ...check, resource: resource(type, whole(id)) };
    }),
  });
}

function addTenant(rules: RuleLine[], tenant: string, roles: number, users: number): void {
  for (let role = 0; role < roles; role += 1) {
    for (const kind of KINDS) {
      // Every tenth role is kept out of what all of it could read.
      const denied = kind === 'build' && role % 10 === 9;
      const path = denied ? `document:area-${role}/sealed/*` : `${kind}:area-${role}/*`;
      rules.push(['p', `role-${role}`, tenant, path, 'read', denied ? 'deny' : 'allow']);
    }
    rules.push(['p', `role-${role}`, tenant, `plans-${role}`, 'read', 'allow']);
    rules.push(['g2', `document:plan-${role}`, `plans-${role}`, tenant]);
    if (role > 0) rules.push(['g', `role-${role}`, `role-${parentOf(role)}`, tenant]);
  }
  for (let user = 0; user < users; user += 1) {
    rules.push(['g', `user-${user}`, `role-${user % roles}`, tenant]);
  }
}

/** Roles form a tree with four branches at each: at 50 roles, the last inherits three. */
function parentOf(role: number): number {
  return Math.floor((role - 1) / 4);
}

/** What is asked for in each turn: allowed up to the 18th. */
function resourceOf(role: number, turn: number, index: number): Check['resource'] {
  if (turn === 17) return resource('document', `plan-${role}`);
  if (turn === 18) return resource('secret', `area-${role}/${index}`);
  if (turn === 19) return resource('document', `area-${role}/sealed/${index}`);
  const area = turn >= 14 && role > 0 ? parentOf(role) : role;
  const type = KINDS[turn % (KINDS.length - 1)] ?? 'document';
  return resource(type, `area-${area}/${index}`);
}

function resource(type: string, id: string): Check['resource'] {
  return { type, id, properties: {} };
}

function checkOf(tenant: string, user: number, asked: Check['resource']): Check {
  return {
    tenant,
    subject: { type: 'user', id: `user-${user}`, properties: {} },
    action: { name: 'read', properties: {} },
    resource: asked,
    context: { comment: COMMENT },
  };
}

/** The functions that compare a path with a pattern, each with a pattern of `/area/N/ID` below it. */
const PATTERNS = {
  keyMatch: (area: number) => `/area/${area}/*`,
  keyMatch2: (area: number) => `/area/${area}/:id`,
  keyMatch3: (area: number) => `/area/${area}/{id}`,
  keyMatch4: (area: number) => `/area/${area}/{id}`,
  keyMatch5: (area: number) => `/area/${area}/{id}`,
} as const;

/** A function of Casbin that compares a path with a pattern. */
export type KeyMatch = keyof typeof PATTERNS;
export const KEY_MATCHES = Object.keys(PATTERNS) as KeyMatch[];

/** An ACL over path patterns: 100 subjects, who hold the same number of rules each. */
export function keyMatchWorkload(name: KeyMatch, size: number): Workload {
  const subjects = 100;
  const perSubject = size / subjects;
  const model = `[request_definition]
r = sub, obj, act
[policy_definition]
p = sub, obj, act
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = r.sub == p.sub && ${name}(r.obj, p.obj) && r.act == p.act
`;
  const rules = Array.from({ length: size }, (_, index): RuleLine => {
    const pattern = `path:${PATTERNS[name](Math.floor(index / subjects))}`;
    return ['p', `user-${index % subjects}`, pattern, 'read'];
  });
  const random = seededRandom(size);
  const checks = Array.from({ length: 4_096 }, (_, index) => {
    const area = Math.floor(random() * perSubject);
    // One in four finds no rule.
    const path = index % 4 === 3 ? `/other/${area}/${index}` : `/area/${area}/${index}`;
    return checkOf('acme', Math.floor(random() * subjects), resource('path', path));
  });
  return asSent({ model, rules, checks });
}

/** With the strings that a server has, which parsed them; those put together here take longer to read. */
function asSent(workload: Workload): Workload {
  return JSON.parse(JSON.stringify(workload)) as Workload;
}

/** Numbers from 0 to 1 that are the same in every run (mulberry32). */
function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** The first two of `GOVERNANCE`, which need no store. */
export const GOVERNANCE_WITHOUT_LIMITS = `rules:
  - id: always-open
    kind: time-window
    windows: [{days: [mon-sun], from: "00:00", to: "24:00", timezone: Europe/Berlin}]
  - id: with-a-comment
    kind: require-comment
    comment: {min_length: 10, pattern: "CHG-[0-9]+"}`;

/**
 * Three governance rules that hold for every check of the workloads and deny none: a window that is
 * always open, a comment that is always there, a limit that is never reached.
 */
export const GOVERNANCE = `${GOVERNANCE_WITHOUT_LIMITS}
  - id: never-reached
    kind: rate-limit
    limits: [{per: hour, count: 1000000000}]
`;

/** The bundle of a workload, as `{path: text}`. */
export function bundleOf({ model, rules }: Workload, governance = GOVERNANCE): Map<string, string> {
  return new Map([
    ['bundle.yaml', 'name: bench\nmodel: bench\n'],
    ['models/bench.conf', model],
    ['rules/bench.csv', `${rules.map((rule) => rule.join(', ')).join('\n')}\n`],
    ['governance/bench.yaml', governance],
  ]);
}

/** The body of `POST /check` for a check. */
export function checkBody({ tenant, subject, action, resource: asked, context }: Check): object {
  return {
    tenant,
    subject: subject.id,
    action: action.name,
    resource: { type: asked.type, id: asked.id },
    context,
  };
}
