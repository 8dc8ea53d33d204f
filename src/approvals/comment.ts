import { InvalidRequest } from '../errors.js';
import type { JsonObject } from '../vocabulary.js';

/** Characters (code points) that a comment on a decision may have. */
export const MAX_COMMENT = 4_000;

/**
 * The comment of a decision; undefined where there is none or it is blank. Throws `InvalidRequest`
 * for what is no text, too long, or cannot be stored.
 */
export function parseComment(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'string') throw fault('must be a string');
  if (value.length > 2 * MAX_COMMENT || Array.from(value).length > MAX_COMMENT) {
    throw fault(`has more than ${MAX_COMMENT} characters; shorten it`);
  }
  if (!value.isWellFormed()) throw fault('holds a lone surrogate: it is no valid Unicode');
  if (value.includes('\0')) throw fault('holds a NUL character, which cannot be stored');
  return value.trim() === '' ? undefined : value;
}

/** The comment as a member of an audit event's detail. */
export function commentDetail(comment: string | undefined): JsonObject {
  return comment === undefined ? {} : { comment };
}

function fault(message: string): InvalidRequest {
  return new InvalidRequest('the comment is not valid', [{ path: '/comment', message }]);
}
