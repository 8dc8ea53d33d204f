/**
 * Every error that the server answers or exits with. One class, one code, one status each;
 * docs/errors.md lists them and a test holds the two together.
 */

/** Where in a request body a fault is: a JSON pointer-like path (`/checks/0/subject`) and what is wrong. */
export interface FieldFault {
  readonly path: string;
  readonly message: string;
}

/** Where in a bundle a fault is. Lines and columns count from 1; 1:1 where the file as a whole is at fault. */
export interface BundleFault {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/** What the HTTP layer needs to answer an error as `application/problem+json` (RFC 9457). */
export interface ProblemOptions {
  /** Seconds, sent as `Retry-After`. */
  readonly retryAfter?: number;
  /** Further members of the problem document, such as `errors`. */
  readonly members?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
}

/** Base of every error that a caller may see. `message` becomes the problem's `detail`. */
export abstract class CountersignError extends Error {
  abstract readonly status: number;
  abstract readonly code: string;
  abstract readonly title: string;
  readonly retryAfter: number | undefined;
  readonly members: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, string>>;

  constructor(message: string, options: ProblemOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.retryAfter = options.retryAfter;
    this.members = options.members ?? {};
    this.headers = options.headers ?? {};
  }
}

/** 400: the body is no JSON object, or breaks the schema. Carries every fault. */
export class InvalidRequest extends CountersignError {
  readonly status = 400;
  readonly code = 'invalid_request';
  readonly title = 'The request is not valid';

  constructor(message: string, errors: readonly FieldFault[] = [], options: ProblemOptions = {}) {
    // Callers may always read the list: where no member is to blame, the request as a whole is.
    const listed = errors.length > 0 ? errors : [{ path: '', message }];
    super(message, { ...options, members: { ...options.members, errors: listed } });
  }
}

/** 401: no credential, or one that is unknown, revoked or expired. Never says which. */
export class Unauthenticated extends CountersignError {
  readonly status = 401;
  readonly code = 'unauthenticated';
  readonly title = 'A valid credential is needed';

  constructor(message: string, options: ProblemOptions = {}) {
    super(message, { ...options, headers: { 'WWW-Authenticate': 'Bearer', ...options.headers } });
  }
}

/** 403: the credential may not do this, or not in this tenant. */
export class Forbidden extends CountersignError {
  readonly status = 403;
  readonly code: string = 'forbidden';
  readonly title: string = 'The credential may not do this';
}

/** 403: the caller holds none of the open stage's approver roles and is not named in it. */
export class NotAnApprover extends Forbidden {
  override readonly code = 'not_an_approver';
  override readonly title = 'Only an approver of the open stage may decide';
}

/** 403: the person who asked, or the subject, tried to decide. */
export class SelfApproval extends Forbidden {
  override readonly code = 'self_approval';
  override readonly title = 'Nobody decides their own request';
}

/** 404: no such path or object, or one that this credential may not know of. */
export class NotFound extends CountersignError {
  readonly status = 404;
  readonly code = 'not_found';
  readonly title = 'There is nothing here';
}

/** 405: the path exists, the method does not. `Allow` names those that do. */
export class MethodNotAllowed extends CountersignError {
  readonly status = 405;
  readonly code = 'method_not_allowed';
  readonly title = 'The path does not take this method';

  constructor(method: string, allowed: readonly string[]) {
    super(`\`${method}\` is not allowed here; use ${allowed.map((m) => `\`${m}\``).join(' or ')}`, {
      headers: { Allow: allowed.join(', ') },
    });
  }
}

/** 409: the state moved on. */
export class Conflict extends CountersignError {
  readonly status = 409;
  readonly code: string = 'conflict';
  readonly title: string = 'The state moved on';
}

/** 409: another bundle than the expected one is active. */
export class BundleMoved extends Conflict {
  override readonly code = 'bundle_moved';
  override readonly title = 'Another bundle is active';
}

/** 409: a line of the bundle cannot be removed through `POST /v1/rules`. */
export class OwnedByBundle extends Conflict {
  override readonly code = 'owned_by_bundle';
  override readonly title = 'The rule belongs to the bundle';
}

/** 409: the check needs no approval: it is allowed as it stands. Carries the decision. */
export class ApprovalNotNeeded extends Conflict {
  override readonly code = 'approval_not_needed';
  override readonly title = 'No approval is needed';
}

/** 409: the check is denied whatever anybody approves. Carries the decision. */
export class Denied extends Conflict {
  override readonly code = 'denied';
  override readonly title = 'The check is denied';
}

/** 409: the approval request was decided, cancelled or has expired. */
export class AlreadyDecided extends Conflict {
  override readonly code = 'already_decided';
  override readonly title = 'The request is no longer open';
}

/** 409: the same `Idempotency-Key` came before with another body. */
export class IdempotencyKeyReused extends Conflict {
  override readonly code = 'idempotency_key_reused';
  override readonly title = 'The Idempotency-Key belongs to another request';
}

/** 413: the body is larger than this path takes. */
export class PayloadTooLarge extends CountersignError {
  readonly status = 413;
  readonly code = 'payload_too_large';
  readonly title = 'The body is too large';
}

/** 415: the body is not declared as JSON. */
export class UnsupportedMediaType extends CountersignError {
  readonly status = 415;
  readonly code = 'unsupported_media_type';
  readonly title = 'The body must be JSON';
}

/** 422: the bundle has faults; nothing was changed. Carries all of them. */
export class InvalidBundle extends CountersignError {
  readonly status = 422;
  readonly code = 'invalid_bundle';
  readonly title = 'The bundle has faults';
  readonly faults: readonly BundleFault[];

  constructor(faults: readonly BundleFault[]) {
    super(
      `the bundle has ${faults.length === 1 ? 'one fault' : `${faults.length} faults`}; nothing was changed`,
      {
        members: { errors: faults },
      },
    );
    this.faults = faults;
  }
}

/** 429: too many calls by this caller, or too many failed credentials. */
export class TooManyRequests extends CountersignError {
  readonly status = 429;
  readonly code = 'too_many_requests';
  readonly title = 'Too many requests';
}

/** 500: a fault of the server's own. Says nothing of its cause; the log does, under the request id. */
export class InternalError extends CountersignError {
  readonly status = 500;
  readonly code = 'internal_error';
  readonly title = 'The server failed';
}

/** 503: a store that is needed cannot be reached in time. */
export class Unavailable extends CountersignError {
  readonly status = 503;
  readonly code: string = 'unavailable';
  readonly title: string = 'Not available at the moment';

  constructor(message: string, options: ProblemOptions = {}) {
    super(message, { retryAfter: 1, ...options });
  }
}

/** 503: `min_revision` has not reached this server within its wait. */
export class RevisionUnavailable extends Unavailable {
  override readonly code = 'revision_unavailable';
  override readonly title = 'The revision is not here yet';
}

/** Exit code 2: settings or usage are wrong. Lists every fault, one a line. */
export class SettingsError extends Error {
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(faults.join('\n'));
    this.name = 'SettingsError';
    this.faults = faults;
  }
}
