import type { Static, TObject, TSchema } from '@sinclair/typebox';
import { type FieldFault, InvalidRequest } from '../errors.js';
import type { Caller } from '../identity/caller.js';
import type { Permission } from '../identity/system-roles.js';
import type { Eventual } from '../platform/eventual.js';
import { compileSchema } from '../platform/schema.js';
import { BODY_LIMIT, type ItemTerms } from './body.js';

/** What is known of every call, whatever its route takes. */
export interface CallBase {
  readonly requestId: string;
  /** The address of the peer. */
  readonly ip: string | undefined;
  readonly params: Readonly<Record<string, string>>;
  /** The header `Idempotency-Key`, where it was sent. */
  readonly idempotencyKey: string | undefined;
}

/** A call that has passed authentication and the schemas of its route. */
export interface Call<Query = unknown, Body = unknown> extends CallBase {
  readonly caller: Caller;
  readonly query: Query;
  readonly body: Body;
}

/** A call whose body is too large to be read here; its schema was not asked. */
export type LargeCall = Call<unknown, readonly Uint8Array<ArrayBuffer>[]>;

/** A call to a public route: nobody is asked who they are. */
export interface PublicCall<Query = unknown> extends CallBase {
  readonly query: Query;
}

/** What a route answers. Objects go out as JSON; a text needs its `Content-Type` in the headers. */
export interface Answer {
  readonly status: number;
  readonly body?: object;
  /** In place of a body, what it is as JSON, where the route can write that faster. */
  readonly json?: string;
  readonly text?: string;
  /** In place of a body, what it is as JSON, in UTF-8; a `Content-Type` in the headers counts. */
  readonly bytes?: Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** What docs/openapi.yaml says of one answer of a route. */
export interface DocumentedAnswer {
  readonly description: string;
  /** The schema of the JSON; where it is left out the answer has no body, or a text one. */
  readonly schema?: TSchema;
  readonly text?: string;
  /** Headers with what they say. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** What docs/openapi.yaml says of a route besides its schemas. */
export interface RouteDocs {
  /** One line, for people. */
  readonly summary: string;
  readonly answers: Readonly<Record<number, DocumentedAnswer>>;
  /** The codes of problems that this route answers besides those that every route of its kind does. */
  readonly codes?: readonly string[];
  /** Whether it takes `Idempotency-Key`. */
  readonly idempotent?: boolean;
}

/** Milliseconds after which a call is answered with 503, whatever it waits for; see `RouteBase`. */
const ANSWER_TIME = 5_000;

interface RouteBase extends RouteDocs {
  /**
   * Milliseconds after which a call whose body has come is answered with 503, whatever it waits for:
   * each wait has a bound of its own, and this is that of their sum. Undefined where nothing but
   * stores is waited for, and they have theirs: on the hot path.
   */
  readonly answerTime: number | undefined;
  readonly method: Method;
  /** As Express writes it: `/v1/approvals/:id`. */
  readonly path: string;
  /** Answered in front of Express, for the paths that callers wait on; such a path has no parameters. */
  readonly hot: boolean;
  readonly query: TObject;
  readonly queryFaults: (query: unknown) => readonly FieldFault[];
}

/** The body that a route takes. */
export interface RouteBody {
  readonly schema: TSchema;
  /** Bytes. */
  readonly limit: number;
  readonly optional: boolean;
  readonly asText: boolean;
  /** Bytes above which `handleLarge` answers. */
  readonly largeAbove?: number | undefined;
  readonly parse: (body: unknown) => unknown;
}

/** A route that needs a credential. */
export interface GuardedRoute extends RouteBase {
  readonly access: 'caller';
  /**
   * What the credential must be able to do, somewhere, before its body is read. Which tenant it may
   * do it in is for the handler: only that knows the tenant. Undefined where the handler decides all.
   */
  readonly permission: Permission | undefined;
  /** Whether only a credential that is not bound to a tenant will do. */
  readonly unbound: boolean;
  readonly body: RouteBody | undefined;
  readonly handle: (call: Call) => Eventual<Answer>;
  readonly handleLarge?: ((call: LargeCall) => Promise<Answer>) | undefined;
}

/** A route that needs no credential and has no body. */
export interface PublicRoute extends RouteBase {
  readonly access: 'public';
  readonly handle: (call: PublicCall) => Eventual<Answer>;
}

export type Route = GuardedRoute | PublicRoute;

interface GuardedTerms<Query extends TObject, Body extends TSchema, AsText extends boolean>
  extends RouteDocs {
  readonly method: Method;
  readonly path: string;
  readonly permission?: Permission;
  readonly unbound?: boolean;
  readonly hot?: boolean;
  /** 5,000 unless given; see `RouteBase`. */
  readonly answerTime?: number;
  readonly query?: Query;
  readonly body?: Body;
  /** Bytes; 1 MiB unless given. */
  readonly bodyLimit?: number;
  /** Whether a request without a body counts as `{}`. */
  readonly bodyOptional?: boolean;
  /** Whether the handler holds the body against its schema itself. */
  readonly bodyUnchecked?: boolean;
  /** Whether the handler reads the text of the body itself. */
  readonly bodyAsText?: AsText;
  /** For a body that is many requests in one. */
  readonly items?: ItemTerms;
  readonly handle: (
    call: Call<Static<Query>, AsText extends true ? string : Static<Body>>,
  ) => Eventual<Answer>;
  /** What answers a body of more than so many bytes, elsewhere. */
  readonly large?:
    | { readonly above: number; readonly handle: (call: LargeCall) => Promise<Answer> }
    | undefined;
}

const noQuery = {
  type: 'object',
  properties: {},
  additionalProperties: false,
} as unknown as TObject;

/** Declares a route that needs a credential; its schemas are compiled here, once. */
export function guardedRoute<
  Query extends TObject,
  Body extends TSchema,
  AsText extends boolean = false,
>(terms: GuardedTerms<Query, Body, AsText>): GuardedRoute {
  const { permission, unbound = false, hot = false, query = noQuery, handle } = terms;
  const { answerTime = hot ? undefined : ANSWER_TIME } = terms;
  return {
    ...docsOf(terms),
    access: 'caller',
    answerTime,
    permission,
    unbound,
    hot,
    query,
    queryFaults: compileSchema(query),
    body: bodyOf(terms),
    // `serve` hands over what these very schemas passed, or what the handler reads itself.
    handle: (call) => handle(call as Parameters<typeof handle>[0]),
    handleLarge: terms.large?.handle,
  };
}

/** Declares a route that anybody may call. */
export function publicRoute(
  terms: RouteDocs & Pick<PublicRoute, 'method' | 'path' | 'handle'> & { readonly query?: TObject },
): PublicRoute {
  const query = terms.query ?? noQuery;
  return {
    ...docsOf(terms),
    access: 'public',
    answerTime: ANSWER_TIME,
    hot: false,
    query,
    queryFaults: compileSchema(query),
    handle: terms.handle,
  };
}

function docsOf(terms: RouteDocs & Pick<Route, 'method' | 'path'>) {
  const { method, path, summary, answers, codes = [], idempotent = false } = terms;
  return { method, path, summary, answers, codes, idempotent };
}

function bodyOf({
  body,
  bodyLimit = BODY_LIMIT,
  bodyOptional = false,
  bodyUnchecked = false,
  bodyAsText = false,
  items,
  large,
}: {
  body?: TSchema;
  bodyLimit?: number;
  bodyOptional?: boolean;
  bodyUnchecked?: boolean;
  bodyAsText?: boolean;
  items?: ItemTerms | undefined;
  large?: { readonly above: number } | undefined;
}): GuardedRoute['body'] {
  if (body === undefined) return undefined;
  const largeAbove = large?.above;
  const terms = {
    schema: body,
    limit: bodyLimit,
    optional: bodyOptional,
    asText: bodyAsText,
    items,
    largeAbove,
  };
  if (bodyUnchecked || bodyAsText) return { ...terms, parse: (value) => value };
  const faultsOf = compileSchema(body);
  const parse = (value: unknown): unknown => {
    const faults = faultsOf(value);
    if (faults.length > 0) throw new InvalidRequest('the body is not valid', faults);
    return value;
  };
  return { ...terms, parse };
}
