import type { JsonValue } from '../vocabulary.js';
import type { AuditEvent } from './event.js';

/** About the characters that an event takes besides its texts. */
const EVENT = 300;
/** About the characters that a member or an element takes besides its text. */
const MEMBER = 8;

/** Deeper than this an event is cut off before it is stored. */
const MAX_DEPTH = 64;

/** About how many characters an event takes; cheap, for bounding what waits. */
export function weightOf(event: AuditEvent): number {
  const { actor, subject, action, resource, detail } = event;
  const texts = actor.length + lengthOf(subject) + lengthOf(action) + lengthOf(resource);
  return EVENT + texts + (detail === undefined ? 0 : weigh(detail, 0));
}

function lengthOf(text: string | undefined): number {
  return text === undefined ? 0 : text.length;
}

function weigh(value: JsonValue | undefined, depth: number): number {
  if (typeof value === 'string') return MEMBER + value.length;
  if (typeof value !== 'object' || value === null || depth > MAX_DEPTH) return MEMBER;
  let weight = MEMBER;
  if (isArray(value)) {
    for (const element of value) weight += weigh(element, depth + 1);
  } else {
    for (const name in value) weight += name.length + weigh(value[name], depth + 1);
  }
  return weight;
}

function isArray(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}
