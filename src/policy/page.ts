import { InvalidRequest } from '../errors.js';
import type { RulePlace } from './rule-store.js';

/** Reads the place in the history of bundles after which to go on. @throws InvalidRequest */
export function parsePlace(after: string): number {
  if (/^\d{1,9}$/.test(after)) return Number(after);
  throw badPlace(after);
}

/** Writes a place in the order of rules as `next`: `b120` among the bundle's, `a7` among the admin's. */
export function printRulePlace(place: RulePlace): string {
  return place.bundle === undefined ? `a${place.admin ?? 0}` : `b${place.bundle}`;
}

/** Reads what `printRulePlace` wrote. @throws InvalidRequest */
export function parseRulePlace(after: string): RulePlace {
  const match = /^([ab])(\d{1,15})$/.exec(after);
  if (!match) throw badPlace(after);
  return match[1] === 'b' ? { bundle: Number(match[2]) } : { admin: Number(match[2]) };
}

function badPlace(after: string): InvalidRequest {
  const message = 'pass what `next` gave, unchanged';
  return new InvalidRequest(`\`${after}\` is no place in this list`, [{ path: '/after', message }]);
}
