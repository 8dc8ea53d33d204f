import { hash } from 'node:crypto';
import { Unauthenticated } from '../errors.js';
import type { Caller } from './caller.js';
import { isGood, type KeyRing } from './key-ring.js';

/** Longer credentials are none of ours; nothing is computed for them. */
const MAX_LENGTH = 8_192;

/** The scheme in any case, then the credential: bytes as Latin-1, no control characters among them. */
const BEARER = /^bearer +([!-~\x80-\xff](?:[ -~\x80-\xff]*[!-~\x80-\xff])?) *$/i;

const NOT_ASCII = /[^ -~]/;

/**
 * Who calls, by the value of the `Authorization` header: the caller of the API key in it, at `now`
 * (milliseconds). Throws `Unauthenticated`, in the same words whatever is wrong with it, so that
 * nobody learns which keys exist.
 */
export function authenticate(
  authorization: string | undefined,
  keys: KeyRing,
  now: number,
): Caller {
  const credential = bearerOf(authorization);
  const key = credential === undefined ? undefined : keys.find(credentialHash(credential));
  if (key === undefined || !isGood(key, now)) throw unauthenticated();
  return key.caller;
}

/**
 * Whoever waited since `authenticate` may have lost the key, or it has expired by `now` (milliseconds):
 * throws `Unauthenticated` where so.
 */
export function authenticateAgain(caller: Caller, keys: KeyRing, now: number): void {
  if (!keys.holds(caller, now)) throw unauthenticated();
}

function unauthenticated(): Unauthenticated {
  return new Unauthenticated(
    'a valid credential is needed; send `Authorization: Bearer <API key>`',
  );
}

/** The credential in an `Authorization` header; undefined where there is none of ours. */
export function bearerOf(authorization: string | undefined): string | undefined {
  if (authorization === undefined || authorization.length > MAX_LENGTH) return undefined;
  return BEARER.exec(authorization)?.[1];
}

/**
 * What a credential is stored and looked up as: its SHA-256, in lower-case hex. That the secret is
 * hashed before it is compared keeps the time of the look-up from telling anything about it.
 * HTTP hands a header's bytes on as Latin-1; they are hashed as the bytes that were sent.
 */
export function credentialHash(credential: string): string {
  // ASCII is the same bytes in UTF-8, in which `hash` takes text without a copy.
  const bytes = NOT_ASCII.test(credential) ? Buffer.from(credential, 'latin1') : credential;
  return hash('sha256', bytes, 'hex');
}
