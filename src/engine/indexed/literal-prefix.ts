import { keyPattern, type KeyDialect } from '../key-pattern.js';

/**
 * A text that every key which fits the pattern begins with, as long as it can easily be told; empty
 * where it cannot.
 *
 * @param name a named function that reads patterns, such as `keyMatch2` or `regexMatch`
 */
export function literalPrefix(name: string, pattern: string): string {
  switch (name) {
    case 'keyMatch2':
    case 'keyMatch3':
    case 'keyMatch4':
    case 'keyMatch5':
      return regexPrefix(keyPattern(name satisfies KeyDialect, pattern));
    case 'regexMatch':
      return regexPrefix(pattern);
    default:
      return '';
  }
}

/** Signs with a meaning in regular expressions. */
const SPECIAL = /[\\^$.*+?()[\]{}|]/;

function regexPrefix(pattern: string): string {
  // Alternatives may begin otherwise, and what is not anchored may begin anywhere.
  if (!pattern.startsWith('^') || pattern.includes('|')) return '';
  const rest = pattern.slice(1);
  const at = rest.search(SPECIAL);
  if (at === -1) return rest;
  if (!'*+?{'.includes(rest.charAt(at))) return rest.slice(0, at);
  // A sign that repeats what stands before it may repeat it no times at all.
  const isPair = /[\udc00-\udfff]/.test(rest.charAt(at - 1));
  return rest.slice(0, Math.max(at - (isPair ? 2 : 1), 0));
}
