import { type Static, Type } from '@sinclair/typebox';
import {
  CountersignError,
  InternalError,
  InvalidRequest,
  NotFound,
  Unavailable,
} from '../errors.js';
import { isStoreFailure } from '../platform/store-failure.js';
import type { HttpLog } from './services.js';

const fault = Type.Object({
  path: Type.Optional(Type.String({ description: 'JSON pointer into the request.' })),
  file: Type.Optional(Type.String({ description: 'Of a bundle.' })),
  line: Type.Optional(Type.Integer()),
  column: Type.Optional(Type.Integer()),
  message: Type.String(),
});

/** A problem document (RFC 9457), as every error is answered. Its code may add members. */
export const Problem = Type.Object(
  {
    type: Type.String({ format: 'uri', description: 'A name for `code`.' }),
    title: Type.String(),
    status: Type.Integer(),
    code: Type.String({ description: 'Stable; docs/errors.md lists them.' }),
    detail: Type.String(),
    request_id: Type.String(),
    errors: Type.Optional(
      Type.Array(fault, {
        description: 'Every fault, with `invalid_request` and `invalid_bundle`.',
      }),
    ),
  },
  { $id: 'Problem', additionalProperties: true },
);
export type Problem = Static<typeof Problem> & Readonly<Record<string, unknown>>;

/** The `type` of a problem: a name for its code; docs/errors.md says what each means. */
export function problemType(code: string): string {
  return `urn:countersign:problem:${code}`;
}

/** Any error as one that may be answered. What is not ours becomes a 503 or a 500 that says nothing. */
export function answerable(error: unknown): CountersignError {
  if (error instanceof CountersignError) return error;
  if (error instanceof URIError) {
    return new InvalidRequest('the path is not valid percent-encoded UTF-8');
  }
  if (isStoreFailure(error)) {
    return new Unavailable('a store that is needed cannot be reached; try again', { cause: error });
  }
  return new InternalError('the server failed; its log has the cause under the request id', {
    cause: error,
  });
}

/** The problem document of an error. */
export function problemOf(error: CountersignError, requestId: string): Problem {
  const { title, status, code, message, members } = error;
  const known = { type: problemType(code), title, status, code, detail: message };
  return { ...known, request_id: requestId, ...members };
}

/** Logs an error that is the server's own, or a store's; its caller learns nothing of the cause. */
export function logFailure(error: CountersignError, requestId: string, log: HttpLog): void {
  const members = { requestId, code: error.code, err: error.cause ?? error };
  if (error instanceof InternalError) log.error(members, 'request failed');
  else if (error.status >= 500) log.warn(members, 'request not answered');
}

/** The headers that an error adds to its answer: `Retry-After`, `Allow`, `WWW-Authenticate`. */
export function problemHeaders(error: CountersignError): Record<string, string> {
  return {
    ...error.headers,
    ...(error.retryAfter === undefined
      ? {}
      : { 'Retry-After': String(Math.max(1, Math.ceil(error.retryAfter))) }),
  };
}

/** 404 for a path that no route has. */
export function noSuchPath(): NotFound {
  return new NotFound('no such path; docs/openapi.yaml lists them all');
}
