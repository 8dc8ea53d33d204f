import type { Check } from '../vocabulary.js';
import { resourceKey, subjectKey } from '../vocabulary.js';

/** A token of the request definition: its name without `r.`, and the path of a check that fills it. */
export interface RequestToken {
  readonly name: string;
  /**
   * Members of a check, such as `['resource', 'properties', 'environment']`. `['subject', 'key']` and
   * `['resource', 'key']` stand for the names by which Casbin rules know them.
   */
  readonly path: readonly string[];
}

/** What a path leads to: text always, an object always, or whatever JSON the request holds, if any. */
export type Shape =
  | { readonly kind: 'text' }
  | { readonly kind: 'object'; readonly members: readonly string[] }
  | { readonly kind: 'json'; readonly mayBeAbsent: boolean };

/** Paths of the tokens that need no mapping. */
const DEFAULT_PATHS: ReadonlyMap<string, string> = new Map([
  ['sub', 'subject.key'],
  ['dom', 'tenant'],
  ['obj', 'resource.key'],
  ['act', 'action.name'],
  ['subject', 'subject'],
  ['action', 'action'],
  ['resource', 'resource'],
  ['context', 'context'],
]);

const MEMBERS: ReadonlyMap<string, readonly string[]> = new Map([
  ['subject', ['type', 'id', 'properties']],
  ['action', ['name', 'properties']],
  ['resource', ['type', 'id', 'properties']],
]);

/** The path of a token by its mapping or its name; undefined where neither gives one. */
export function pathOf(name: string, mapping: ReadonlyMap<string, string>): string | undefined {
  return mapping.get(name) ?? DEFAULT_PATHS.get(name);
}

/** What `path` leads to in a check; undefined for a path that leads nowhere in any check. */
export function shapeOf(path: readonly string[]): Shape | undefined {
  const [root = '', member, ...deeper] = path;
  if (path.some((name) => !isReadableName(name))) {
    return undefined;
  }
  if (root === 'tenant') {
    return member === undefined ? { kind: 'text' } : undefined;
  }
  if (root === 'context') {
    return { kind: 'json', mayBeAbsent: member !== undefined };
  }
  const members = MEMBERS.get(root);
  if (!members) {
    return undefined;
  }
  if (member === undefined) {
    return { kind: 'object', members };
  }
  if (member === 'properties') {
    return { kind: 'json', mayBeAbsent: deeper.length > 0 };
  }
  const isKey = member === 'key' && root !== 'action';
  return deeper.length === 0 && (isKey || members.includes(member)) ? { kind: 'text' } : undefined;
}

/**
 * The value at a path of a check: own members alone, undefined where one is absent. (JSON holds no
 * undefined, so nothing present looks absent.)
 */
export function valueAt(path: readonly string[], check: Partial<Check>): unknown {
  const [root, member] = path;
  if (member === 'key' && root === 'subject') {
    return check.subject && subjectKey(check.subject);
  }
  if (member === 'key' && root === 'resource') {
    return check.resource && resourceKey(check.resource);
  }
  let value: unknown = check;
  for (const name of path) {
    value = ownMember(value, name);
  }
  return value;
}

/** An own member of an object or array; undefined where there is none, as on text. */
export function ownMember(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) {
    return undefined;
  }
  return (value as Readonly<Record<string, unknown>>)[name];
}

/** Whether a member of this name may be read; the refused ones lead to code, or node-casbin refuses them. */
export function isReadableName(name: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && !/^__proto__|prototype|constructor$/.test(name);
}
