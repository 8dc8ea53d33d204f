import type { Static, TSchema } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { FaultAnswer, ProblemAnswer } from './answers.js';
import { CommandFailed, EXIT } from './exit-codes.js';
import type { BundleFault } from '../errors.js';
import { printable } from './screen.js';
import type { ServerAddress } from './server-address.js';

/** Milliseconds that a call may take; applying a large bundle is given longer. */
const PATIENCE = 30_000;

/** What a call needs besides its path. */
export interface CallOptions {
  readonly body?: unknown;
  readonly timeout?: number;
}

type Method = 'GET' | 'POST' | 'DELETE';

/** The server, as the commands see it: calls that give a checked answer or end the command. */
export interface ApiClient {
  /** Throws CommandFailed where the server cannot be reached, refuses, or answers something else. */
  call<Answer extends TSchema>(
    method: Method,
    path: string,
    answer: Answer,
    options?: CallOptions,
  ): Promise<Static<Answer>>;
  /** `call` for those who care which status it was. */
  exchange<Answer extends TSchema>(
    method: Method,
    path: string,
    answer: Answer,
    options?: CallOptions,
  ): Promise<{ readonly status: number; readonly body: Static<Answer> }>;
}

/** The server refused; `problem` says why. */
export class Refused extends CommandFailed {
  readonly problem: ProblemAnswer;

  constructor(problem: ProblemAnswer) {
    super(EXIT.refused, linesOf(problem).map(printable).join('\n'), problem);
    this.name = 'Refused';
    this.problem = problem;
  }
}

/** The server found faults in the bundle that it was sent. */
export class BundleRefused extends CommandFailed {
  readonly faults: readonly BundleFault[];

  constructor(problem: ProblemAnswer, faults: readonly BundleFault[]) {
    super(EXIT.invalidBundle, problem.detail, problem);
    this.name = 'BundleRefused';
    this.faults = faults;
  }
}

/** A client for one server, with its credential. */
export function createApiClient(server: ServerAddress, fetch: typeof globalThis.fetch): ApiClient {
  const exchange: ApiClient['exchange'] = async (method, path, answer, options = {}) => {
    const { body, timeout = PATIENCE } = options;
    const received = await send(server, fetch, path, {
      method,
      redirect: 'error',
      signal: AbortSignal.timeout(timeout),
      headers: {
        Authorization: `Bearer ${server.key}`,
        Accept: 'application/json, application/problem+json',
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const { ok, status, content } = received;
    if (!ok) throw refusal(server, received);
    if (Value.Check(answer, content)) return { status, body: content };
    throw new CommandFailed(
      EXIT.refused,
      `what answers at \`${server.url}\` is no countersign server, or one of another version`,
    );
  };
  return {
    exchange,
    call: async (method, path, answer, options) =>
      (await exchange(method, path, answer, options)).body,
  };
}

interface Received {
  readonly ok: boolean;
  readonly status: number;
  /** The body as JSON; undefined where it is empty or none. */
  readonly content: unknown;
}

async function send(
  server: ServerAddress,
  fetch: typeof globalThis.fetch,
  path: string,
  init: RequestInit,
): Promise<Received> {
  try {
    const response = await fetch(server.url + path, init);
    const text = await response.text();
    return { ok: response.ok, status: response.status, content: jsonOrUndefined(text) };
  } catch (error) {
    throw new CommandFailed(EXIT.refused, unreachable(server, error));
  }
}

function jsonOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function unreachable({ url, pid }: ServerAddress, error: unknown): string {
  const why = `cannot reach the server at \`${url}\`: ${reasonOf(error)}`;
  return pid === undefined
    ? why
    : `${why}; \`server.json\` names process ${pid}, start it again with \`countersign serve\``;
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'it hung up',
  UND_ERR_SOCKET: 'it hung up',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'its name cannot be looked up',
  TimeoutError: 'no answer in time',
};

/** In a few words; the text of the error is left out, since it may quote what was sent. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'the call failed';
  const { cause } = error;
  const code = cause instanceof Error && 'code' in cause ? cause.code : error.name;
  return typeof code === 'string'
    ? (REASONS[code] ?? `the call failed (\`${code}\`)`)
    : 'the call failed';
}

function refusal(server: ServerAddress, { status, content }: Received): CommandFailed {
  if (!Value.Check(ProblemAnswer, content)) {
    return new CommandFailed(EXIT.refused, `\`${server.url}\` answered with status ${status}`);
  }
  if (content.code !== 'invalid_bundle') return new Refused(content);
  const faults = (content.errors ?? []).filter((fault) => Value.Check(FaultAnswer, fault));
  return new BundleRefused(content, faults);
}

/** A problem document for people: what, why, where, and the id to ask the operator with. */
function linesOf(problem: ProblemAnswer): string[] {
  const { title, status, code, detail, errors = [], request_id: requestId } = problem;
  return [
    `${title} (${status} \`${code}\`)`,
    ...(detail === undefined ? [] : [`  ${detail}`]),
    ...errors.map((error) => `  ${faultText(error)}`),
    ...(requestId === undefined ? [] : [`  request id ${requestId}`]),
  ];
}

function faultText({ path, message }: Record<string, unknown>): string {
  const place = typeof path === 'string' && path !== '' ? `${path}: ` : '';
  return place + (typeof message === 'string' ? message : 'not valid');
}
