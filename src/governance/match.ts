import type { Check } from '../vocabulary.js';
import type { Match } from './governance-rule.js';
import { compileAnyOf, isBoundless, isWild, type TextMatcher } from './wildcard.js';

/** Whether a rule's `match` speaks of a check whose subject has these roles. */
export type CheckMatcher = (check: Check, roles: readonly string[]) => boolean;

/** Whether something of this type and id fits. */
type KeyMatcher = (type: string, id: string) => boolean;

/**
 * Compiles a rule's `match`: every member that is given must fit, a member fits if any of its
 * patterns does. Subjects and resources are compared as `type:id`; a pattern for subjects without
 * `:` fits the ids of users as well.
 */
export function compileMatch(match: Match): CheckMatcher {
  const parts = partsOf(match);
  const [only, ...others] = parts;
  if (only === undefined) return () => true;
  if (others.length === 0) return only;
  return (check, roles) => {
    for (const fits of parts) if (!fits(check, roles)) return false;
    return true;
  };
}

function partsOf({ tenants, subjects, roles, actions, resources }: Match): CheckMatcher[] {
  const parts: CheckMatcher[] = [];
  if (isBounded(tenants)) {
    const fits = compileAnyOf(tenants);
    parts.push(({ tenant }) => fits(tenant));
  }
  if (isBounded(actions)) {
    const fits = compileAnyOf(actions);
    parts.push(({ action }) => fits(action.name));
  }
  if (isBounded(resources)) {
    const fits = compileKeys(resources);
    parts.push(({ resource }) => fits(resource.type, resource.id));
  }
  if (isBounded(subjects)) parts.push(subjectMatcher(subjects));
  // A subject may have no role at all, which not even `*` fits.
  if (roles) parts.push(rolesMatcher(roles));
  return parts;
}

/** Whether there is anything that a member does not fit. */
function isBounded(patterns: readonly string[] | undefined): patterns is readonly string[] {
  return patterns !== undefined && !patterns.some(isBoundless);
}

function subjectMatcher(patterns: readonly string[]): CheckMatcher {
  const full = compileKeys(patterns);
  const bare = compileAnyOf(patterns.filter((pattern) => !pattern.includes(':')));
  return ({ subject: { type, id } }) => full(type, id) || (type === 'user' && bare(id));
}

function rolesMatcher(patterns: readonly string[]): CheckMatcher {
  const fits = compileAnyOf(patterns);
  return (_, held) => {
    for (const role of held) if (fits(role)) return true;
    return false;
  };
}

/**
 * The type that a pattern of `type:id` names; undefined where a `*` stands in it. As no type holds a
 * `:`, the first one of a pattern ends the type, unless a `*` before it may stand for another.
 */
export function typeNamedBy(pattern: string): string | undefined {
  const colon = pattern.indexOf(':');
  const type = pattern.slice(0, Math.max(colon, 0));
  return colon < 0 || isWild(type) ? undefined : type;
}

/** Whether a pattern could fit `type:id` at all: one with neither `:` nor `*` fits no such text. */
export function canFitKey(pattern: string): boolean {
  return pattern.includes(':') || isWild(pattern);
}

/** Compiles patterns of `type:id`, so that the two are put together for patterns alone that need it. */
function compileKeys(patterns: readonly string[]): KeyMatcher {
  const idsByType = new Map<string, string[]>();
  const whole: string[] = [];
  for (const pattern of patterns.filter(canFitKey)) {
    const type = typeNamedBy(pattern);
    if (type === undefined) {
      whole.push(pattern);
      continue;
    }
    const ids = idsByType.get(type) ?? [];
    ids.push(pattern.slice(type.length + 1));
    idsByType.set(type, ids);
  }
  const byType = compileTyped(idsByType);
  if (whole.length === 0) return byType;
  const fits = compileAnyOf(whole);
  return (type, id) => byType(type, id) || fits(`${type}:${id}`);
}

function compileTyped(patterns: ReadonlyMap<string, readonly string[]>): KeyMatcher {
  const byType = new Map<string, TextMatcher>();
  for (const [type, ids] of patterns) byType.set(type, compileAnyOf(ids));
  const [only, ...others] = byType;
  if (only === undefined) return () => false;
  const [named, fits] = only;
  if (others.length === 0) return (type, id) => type === named && fits(id);
  return (type, id) => byType.get(type)?.(id) ?? false;
}
