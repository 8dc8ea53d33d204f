import { type Check, resourceKey } from '../vocabulary.js';
import type { Match } from './governance-rule.js';

/** Whether a text fits a pattern. */
export type TextMatcher = (text: string) => boolean;

/** Whether a rule's `match` speaks of a check whose subject has these roles. */
export type CheckMatcher = (check: Check, roles: readonly string[]) => boolean;

/**
 * Compiles a pattern in which `*` stands for any run of characters, none included; everything else
 * stands for itself. Without backtracking: each piece between two `*` is looked for once, from left
 * to right, which finds a fit wherever there is one.
 *
 * @example
 * compileWildcard('db:*')('db:drop'); // true
 */
export function compileWildcard(pattern: string): TextMatcher {
  const [prefix = '', ...rest] = pattern.split('*');
  const suffix = rest.pop();
  if (suffix === undefined) return (text) => text === pattern;
  const pieces = rest.filter((piece) => piece !== '');
  const least = prefix.length + suffix.length;
  return (text) => {
    if (text.length < least || !text.startsWith(prefix) || !text.endsWith(suffix)) return false;
    const end = text.length - suffix.length;
    let from = prefix.length;
    for (const piece of pieces) {
      const found = text.indexOf(piece, from);
      if (found < 0 || found + piece.length > end) return false;
      from = found + piece.length;
    }
    return true;
  };
}

/**
 * Compiles a rule's `match`: every member that is given must fit, a member fits if any of its
 * patterns does. Subjects and resources are compared as `type:id`; a pattern for subjects without
 * `:` fits the ids of users as well.
 */
export function compileMatch(match: Match): CheckMatcher {
  const { tenants, subjects, roles, actions, resources } = match;
  const parts: CheckMatcher[] = [];
  if (tenants) {
    const fits = anyOf(tenants);
    parts.push((check) => fits(check.tenant));
  }
  if (actions) {
    const fits = anyOf(actions);
    parts.push((check) => fits(check.action.name));
  }
  if (resources) {
    const fits = anyOf(resources);
    parts.push((check) => fits(resourceKey(check.resource)));
  }
  if (subjects) parts.push(subjectMatcher(subjects));
  if (roles) {
    const fits = anyOf(roles);
    parts.push((_, held) => held.some(fits));
  }
  return (check, held) => parts.every((fits) => fits(check, held));
}

function anyOf(patterns: readonly string[]): TextMatcher {
  const exact = new Set(patterns.filter((pattern) => !pattern.includes('*')));
  const wild = patterns.filter((pattern) => pattern.includes('*')).map(compileWildcard);
  return (text) => exact.has(text) || wild.some((fits) => fits(text));
}

function subjectMatcher(patterns: readonly string[]): CheckMatcher {
  const full = anyOf(patterns);
  const bare = anyOf(patterns.filter((pattern) => !pattern.includes(':')));
  return ({ subject }) =>
    full(`${subject.type}:${subject.id}`) || (subject.type === 'user' && bare(subject.id));
}
