import {
  CountersignError,
  InternalError,
  InvalidRequest,
  NotFound,
  Unavailable,
} from '../errors.js';
import { isStoreFailure } from './store-failure.js';

/** What a problem document (RFC 9457) says of an error, but for the request that it came of. */
export interface ProblemMembers {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  /** What its code adds, such as `errors`. */
  readonly [member: string]: unknown;
}

/** A problem document, as every error is answered. */
export interface Problem extends ProblemMembers {
  readonly request_id: string;
}

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

/** The members of a problem document, for one that stands inside an answer. */
export function problemMembers(error: CountersignError): ProblemMembers {
  const { title, status, code, message, members } = error;
  return { type: problemType(code), title, status, code, detail: message, ...members };
}

/** The problem document of an error. */
export function problemOf(error: CountersignError, requestId: string): Problem {
  return { ...problemMembers(error), request_id: requestId };
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
