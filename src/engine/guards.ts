import type { MatcherFunction } from './ordered-enforcer.js';
import { IS_IN, READ_MEMBER, REFUSE } from './print-expression.js';
import { ownMember } from './request-token.js';

/**
 * What guards the objects of a request, as functions for node-casbin to call: members are read and
 * searched through these alone, and nothing else of an object can be reached.
 */
export function guardFunctions(): ReadonlyMap<string, MatcherFunction> {
  return new Map<string, MatcherFunction>([
    [READ_MEMBER, readMember],
    [IS_IN, isIn],
    [REFUSE, refuse],
  ]);
}

/**
 * Reads `value.name.name…`, own members of objects and arrays alone. Throws where one is absent: an
 * absent member equals nothing, not even another absent one.
 */
export function readMember(value: unknown, token: string, ...names: readonly string[]): unknown {
  let read = value;
  let path = token;
  for (const name of names) {
    read = ownMember(read, name);
    path = `${path}.${name}`;
    if (read === undefined) {
      break;
    }
  }
  if (read === undefined) {
    throw new Error(`\`${path}\` is absent`);
  }
  return read;
}

/** Casbin's `in`: an item of an array, or an own member of an object. */
export function isIn(item: unknown, container: unknown): boolean {
  if (Array.isArray(container)) {
    return container.includes(item);
  }
  if (typeof container !== 'object' || container === null) {
    throw new TypeError('the right side of `in` is neither a list nor an object');
  }
  return Object.hasOwn(container, String(item));
}

/** Throws: what a rule's expression that is not allowed comes to. */
export function refuse(): never {
  throw new Error('a rule holds an expression that is not allowed');
}
