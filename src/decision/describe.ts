import { type Check, resourceKey } from '../vocabulary.js';

/** The check in a few words, for messages. */
export function describe(check: Check): string {
  return `${check.action.name} on ${resourceKey(check.resource)}`;
}
