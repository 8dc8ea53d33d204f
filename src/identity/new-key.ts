import { type Static, Type } from '@sinclair/typebox';
import type { Engine } from '../engine/engine.js';
import { Forbidden, InvalidRequest } from '../errors.js';
import type { Caller } from './caller.js';
import { rolesBeyond } from './permissions.js';
import { permissionsOf } from './system-policy.js';
import { SYSTEM_ROLES, type SystemRole } from './system-roles.js';

/** The body of `POST /v1/keys`. */
export const NewKey = Type.Object(
  {
    name: Type.String({
      minLength: 1,
      maxLength: 200,
      pattern: '^[^\\u0000-\\u001f\\u007f-\\u009f]*$',
      description: 'What the key is for, for people.',
    }),
    tenant: Type.Optional(
      Type.String({
        pattern: '^[a-z0-9][a-z0-9_-]{0,62}$',
        description: 'The tenant that the key is bound to; without it the key reaches all.',
      }),
    ),
    user: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 512,
        pattern: '^[^\\u0000-\\u001f\\u007f-\\u009f]*$',
        description: 'The user whose key it is: the person who counts when it approves.',
      }),
    ),
    roles: Type.Array(Type.Unsafe<SystemRole>({ type: 'string', enum: [...SYSTEM_ROLES] }), {
      uniqueItems: true,
      description: 'System roles: what the key may do.',
    }),
    expires_at: Type.Optional(
      Type.String({ description: 'When the key ends, in RFC 3339; without it, never.' }),
    ),
  },
  { additionalProperties: false },
);
export type NewKey = Static<typeof NewKey>;

/** What knows the names of roles. */
interface RoleNames {
  readonly engine: Pick<Engine, 'isRole'>;
  readonly settings: { readonly rolesAsSubjects: boolean };
}

/** RFC 3339 with its offset. */
const TIMESTAMP = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2})$/;

/**
 * The tenant that a new key is bound to: the one named, else its maker's. Throws `Forbidden` where
 * the maker is bound to another.
 */
export function tenantOfNewKey(maker: Caller, named: string | undefined): string | undefined {
  if (maker.tenant !== undefined && named !== undefined && named !== maker.tenant) {
    throw new Forbidden(`this credential makes keys for the tenant \`${maker.tenant}\` alone`);
  }
  return named ?? maker.tenant;
}

/** When a new key ends. Throws `InvalidRequest` for what is no time, or one that is not to come. */
export function expiryOfNewKey(text: string | undefined, now: number): Date | null {
  if (text === undefined) return null;
  const expiry = TIMESTAMP.test(text) && isDay(text) ? new Date(text) : new Date(Number.NaN);
  if (Number.isNaN(expiry.getTime())) {
    throw invalid('expires_at', 'must be a time such as `2027-01-01T00:00:00Z`');
  }
  if (expiry.getTime() <= now) throw invalid('expires_at', 'must be in the future');
  return expiry;
}

/**
 * Refuses roles that the maker may not give (`Forbidden`), and those that would give a key of a
 * tenant nothing (`InvalidRequest`).
 */
export function refuseRoles(
  maker: Caller,
  roles: readonly SystemRole[],
  tenant: string | undefined,
): void {
  const [beyond] = rolesBeyond(maker, roles, tenant);
  if (beyond !== undefined) {
    throw new Forbidden(`\`${beyond}\` can do more than this credential, which cannot give it`);
  }
  const [idle] = tenant === undefined ? [] : roles.filter(worksOnlyWithoutTenant);
  if (idle !== undefined) {
    throw invalid(
      'roles',
      `\`${idle}\` works in a key without a tenant only; leave out \`tenant\``,
    );
  }
}

/**
 * Refuses a user who is called like a role of the key's tenant, unless the bundle allows such names:
 * a check about them would be taken for the role's. Of a key for all tenants nothing can be said.
 */
export function refuseRoleName(
  user: string | undefined,
  tenant: string | undefined,
  { engine, settings }: RoleNames,
): void {
  if (user === undefined || tenant === undefined || settings.rolesAsSubjects) return;
  if (engine.isRole(user, tenant)) {
    throw invalid('user', `\`${user}\` is the name of a role; nobody can be called like one`);
  }
}

/**
 * Who counts once when a key approves: its user; without one, the person who made it, so that
 * nobody becomes two by making a key; with the root key, which is nobody's, the key itself.
 */
export function personOfNewKey(maker: Caller, id: string, user: string | undefined): string {
  if (user !== undefined) return `user:${user}`;
  return maker.id === 'root' ? `key:${id}` : maker.person;
}

/** Whether the calendar has the day that a timestamp starts with; `Date` takes 30 February for 2 March. */
function isDay(text: string): boolean {
  const day = text.slice(0, 10);
  const found = new Date(`${day}T00:00:00Z`);
  return !Number.isNaN(found.getTime()) && found.toISOString().startsWith(day);
}

function worksOnlyWithoutTenant(role: SystemRole): boolean {
  return permissionsOf(role, 'own').size === 0 && permissionsOf(role, 'all').size > 0;
}

function invalid(member: string, message: string): InvalidRequest {
  return new InvalidRequest(`\`${member}\` ${message}`, [{ path: `/${member}`, message }]);
}
