import type { JsonObject, JsonValue } from '../vocabulary.js';

/** What stands in the place of everything masked. */
export const MASK = '[redacted]';

/** Deeper nesting than any request can have is cut off visibly, so that no event exhausts the stack. */
const MAX_DEPTH = 64;
const CUT_OFF = '[nested too deeply]';

/** Names, in lower case without separators, that end like this carry secrets whatever their value. */
const SECRET_NAME =
  /(?:authorization|password|passwd|passphrase|pwd|secret|token|jwt|cookie|credential|apikey|accesskey|privatekey|secretkey)s?$/;

/** Secrets that show by their form: our API keys, JWTs, and what follows `Bearer`. */
const SECRET_TEXT =
  /csk_[A-Za-z0-9_-]{16,}|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?|(?<=\bbearer\s)[A-Za-z0-9._~+/=-]{16,}/gi;

/**
 * What every text has that `maskSecretText` would change, and hardly any other: one quick look spares
 * the search.
 */
export const MAY_BE_SECRET = /csk_|eyj|bearer/i;

/** The text with every API key, JWT and bearer credential in it masked. */
export function maskSecretText(text: string): string {
  return MAY_BE_SECRET.test(text) ? text.replace(SECRET_TEXT, MASK) : text;
}

/**
 * The detail of an event with the members that `paths` name in its `check` masked (`context.card`,
 * `resource.properties.iban`; arrays on the way are gone through), and everything that is called or
 * looks like a secret, wherever it is. The input is left as it is.
 */
export function redact(detail: JsonObject, paths: readonly string[]): JsonObject {
  const masked = isHarmless(detail, 0) ? detail : maskMembers(detail, 0);
  const { check } = masked;
  if (check === undefined || paths.length === 0) return masked;
  return {
    ...masked,
    check: paths.reduce((value, path) => maskPath(value, path.split('.')), check),
  };
}

function maskPath(value: JsonValue, path: readonly string[]): JsonValue {
  if (path.length === 0) return MASK;
  if (isArray(value)) {
    // A number in a path may be meant as an index: every element is masked then, rather than none.
    const inner = /^\d+$/.test(path[0] ?? '') ? path.slice(1) : undefined;
    return value.map((item) => {
      const masked = maskPath(item, path);
      return inner === undefined ? masked : maskPath(masked, inner);
    });
  }
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, maskMember(name, member, path)]),
  );
}

/** A member's own name may hold dots: `a.b` in `context` is meant by `context.a.b` too. */
function maskMember(name: string, member: JsonValue, path: readonly string[]): JsonValue {
  let masked = member;
  for (let taken = 1; taken <= path.length; taken++) {
    if (path.slice(0, taken).join('.') === name) masked = maskPath(masked, path.slice(taken));
  }
  return masked;
}

function maskMembers(value: JsonObject, depth: number): JsonObject {
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [
      maskSecretText(name),
      isSecretName(name) && carriesValue(member) ? MASK : maskValue(member, depth + 1),
    ]),
  );
}

function maskValue(value: JsonValue, depth: number): JsonValue {
  if (typeof value === 'string') return maskSecretText(value);
  if (typeof value !== 'object' || value === null) return value;
  if (depth > MAX_DEPTH) return CUT_OFF;
  if (isArray(value)) return value.map((item) => maskValue(item, depth + 1));
  return maskMembers(value, depth);
}

/** Whether `maskMembers` would leave everything as it is. Nearly always: so it is asked first. */
function isHarmless(value: JsonValue | undefined, depth: number): boolean {
  if (typeof value === 'string') return !MAY_BE_SECRET.test(value);
  if (typeof value !== 'object' || value === null) return true;
  if (depth > MAX_DEPTH) return false;
  if (isArray(value)) return value.every((element) => isHarmless(element, depth + 1));
  for (const name in value) {
    if (isTellingName(name) || !isHarmless(value[name], depth + 1)) return false;
  }
  return true;
}

/** Whether a name is that of a secret, or holds one; remembered, for the same names come again. */
function isTellingName(name: string): boolean {
  const known = tellingNames.get(name);
  if (known !== undefined) return known;
  const telling = MAY_BE_SECRET.test(name) || isSecretName(name);
  if (tellingNames.size >= MAX_NAMES) tellingNames.clear();
  if (name.length <= MAX_NAME_LENGTH) tellingNames.set(name, telling);
  return telling;
}

/** Names come from requests: only so many are remembered, and no long ones. */
const MAX_NAMES = 1_000;
const MAX_NAME_LENGTH = 64;
const tellingNames = new Map<string, boolean>();

function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name.toLowerCase().replace(/[^a-z0-9]/g, ''));
}

/** `token: null` and `has_password: true` tell nothing. */
function carriesValue(value: JsonValue): boolean {
  return value !== null && typeof value !== 'boolean';
}

function isArray(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}
