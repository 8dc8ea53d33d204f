import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import { type FieldFault, InvalidRequest } from '../errors.js';
import type { JsonObject, JsonValue } from '../vocabulary.js';

/** Objects and arrays in a request may lie this deep in each other. */
export const MAX_DEPTH = 32;

/** Faults listed for one body; more would only repeat them. */
const MAX_FAULTS = 50;

interface Place {
  readonly value: unknown;
  readonly path: string;
  readonly depth: number;
}

/**
 * What JSON allows and nothing behind this may meet: nesting without end, `__proto__` members, lone
 * surrogates, NUL, and numbers beyond the range of doubles. Walks without recursion, so that no
 * nesting can exhaust the stack.
 */
export function plainJsonFaults(root: unknown): FieldFault[] {
  const faults: FieldFault[] = [];
  const open: Place[] = [{ value: root, path: '', depth: 0 }];
  while (open.length > 0 && faults.length < MAX_FAULTS) {
    const place = open.pop();
    if (place === undefined) break;
    const { value, path, depth } = place;
    if (typeof value === 'string') {
      const message = textFault(value);
      if (message !== undefined) faults.push({ path, message });
    } else if (typeof value === 'number') {
      if (!Number.isFinite(value))
        faults.push({ path, message: 'is beyond the range of a double' });
    } else if (typeof value === 'object' && value !== null) {
      if (depth >= MAX_DEPTH) {
        faults.push({ path, message: `is nested more than ${MAX_DEPTH} levels deep` });
        continue;
      }
      for (const member of Object.keys(value)) {
        const at = `${path}/${escapePointer(member)}`;
        const message = member === '__proto__' ? 'is not a member name' : textFault(member);
        if (message !== undefined) faults.push({ path: at, message });
        else open.push({ value: Reflect.get(value, member), path: at, depth: depth + 1 });
      }
    }
  }
  return faults;
}

/**
 * Whether `plainJsonFaults` finds nothing: the same question, answered without noting places, for
 * what nearly always is plain. `depth` is that of the value in what it came in.
 */
export function isPlainJson(value: unknown, depth = 0): boolean {
  if (typeof value === 'string') return isPlainText(value);
  if (typeof value === 'number') return Number.isFinite(value);
  if (typeof value !== 'object' || value === null) return true;
  // What lies deeper is refused before it is entered: no nesting can exhaust the stack.
  if (depth >= MAX_DEPTH) return false;
  if (Array.isArray(value)) {
    for (const item of value) if (!isPlainJson(item, depth + 1)) return false;
    return true;
  }
  for (const member of Object.keys(value)) {
    if (member === '__proto__' || !isPlainText(member)) return false;
    if (!isPlainJson(Reflect.get(value, member), depth + 1)) return false;
  }
  return true;
}

/**
 * The plain JSON object that a text is; what is in the member `apart` is for the caller to look through.
 *
 * @throws InvalidRequest
 */
export function parsePlainObject(text: string, apart?: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new InvalidRequest('the body is not valid JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new InvalidRequest('the body must be a JSON object');
  }
  const held = apart === undefined ? value : { ...value, [apart]: null };
  if (!isPlainJson(held)) {
    throw new InvalidRequest('the body holds what is refused', plainJsonFaults(held));
  }
  // The checks above are what makes this true.
  return value as JsonObject;
}

function isPlainText(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0');
}

function textFault(text: string): string | undefined {
  if (!text.isWellFormed()) return 'holds a lone surrogate: it is no valid Unicode';
  if (text.includes('\0')) return 'holds a NUL character, which cannot be stored';
  return undefined;
}

/** A member name as a segment of a JSON pointer (RFC 6901), well-formed whatever the name. */
function escapePointer(member: string): string {
  return member.toWellFormed().replaceAll('~', '~0').replaceAll('/', '~1');
}

/** The value as canonical JSON (RFC 8785): equal values, equal text. */
export function canonicalJson(value: JsonValue): string {
  const text = canonicalize(value);
  if (text === undefined) throw new TypeError('only JSON values have a canonical form');
  return text;
}

/** SHA-256 of a text's UTF-8, in lower-case hex. */
export function sha256Hex(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('hex');
}
