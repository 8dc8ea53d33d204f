import { randomUUID } from 'node:crypto';

const SAFE = /^[\x21-\x7e]{1,128}$/;

/**
 * The id under which a request is logged and answered: the caller's `X-Request-Id` where it is 1 to
 * 128 visible ASCII characters, else a new one (`req_` and a UUID).
 */
export function requestIdOf(header: string | readonly string[] | undefined): string {
  return typeof header === 'string' && SAFE.test(header) ? header : `req_${randomUUID()}`;
}
