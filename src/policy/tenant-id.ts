/** What a tenant's id looks like, as the source of a regular expression. */
export const TENANT_PATTERN = '^[a-z0-9][a-z0-9_-]{0,62}$';

const TENANT = new RegExp(TENANT_PATTERN);

/** Whether a check could name this tenant. */
export function isTenantId(text: string): boolean {
  return TENANT.test(text);
}
