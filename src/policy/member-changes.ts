import { canonicalJson } from '../platform/json.js';
import type { JsonObject, JsonValue } from '../vocabulary.js';

/** A member that two objects have differently; undefined where one has none. */
export interface MemberChange {
  /** `approval.expires_after`; a list is one member. */
  readonly path: string;
  readonly before: JsonValue | undefined;
  readonly after: JsonValue | undefined;
}

/** The members in which two objects differ, in the order of `after`, then what it lacks. */
export function memberChanges(before: JsonObject, after: JsonObject, parent = ''): MemberChange[] {
  const names = new Set([...Object.keys(after), ...Object.keys(before)]);
  return [...names].flatMap((name): MemberChange[] => {
    const path = parent === '' ? name : `${parent}.${name}`;
    const [old, present] = [before[name], after[name]];
    if (isObject(old) && isObject(present)) return memberChanges(old, present, path);
    return isSame(old, present) ? [] : [{ path, before: old, after: present }];
  });
}

function isSame(a: JsonValue | undefined, b: JsonValue | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return canonicalJson(a) === canonicalJson(b);
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
