import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import { createApp } from '../../src/http/app.js';
import type { Services } from '../../src/http/services.js';
import { parsePlainObject } from '../../src/platform/json.js';
import { DECIDED, memoryLog, STUB_KEY, stubServices } from './stub-services.js';

/** What a call with the key of the stubs and a JSON body sends. */
export const JSON_HEADERS = {
  Authorization: `Bearer ${STUB_KEY}`,
  'Content-Type': 'application/json',
};

/** A problem document. */
export interface Problem {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly request_id: string;
  readonly errors?: readonly { readonly path: string; readonly message: string }[];
}

/** The HTTP layer on stubs, and how to call it. */
export interface StubServer {
  readonly port: number;
  readonly services: Services;
  readonly log: ReturnType<typeof memoryLog>;
  /** What every check comes to; a test may set it. */
  answerCheck: () => Promise<{ body: object; retryAfter?: number }>;
  /** Whether the server is on its way down; a test may set it. */
  draining: boolean;
  call(path: string, init?: RequestInit): Promise<Response>;
  post(
    path: string,
    body: string | Buffer,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Response>;
  /** `post` to `/check`. */
  postCheck(body: string | Buffer, headers?: Readonly<Record<string, string>>): Promise<Response>;
  /** Undoes what a test has set. */
  reset(): void;
  stop(): Promise<void>;
}

/** Starts one on a port of its own. */
export async function startStubServer(): Promise<StubServer> {
  const log = memoryLog();
  const services = stubServices({
    log,
    checks: {
      check: (_caller, body) => {
        // The service is given the text, and reads it with this.
        parsePlainObject(body);
        return stub.answerCheck() as never;
      },
      checkBatch: () => stub.answerCheck() as never,
      openApproval: () => stub.answerCheck() as never,
      room: () => undefined,
    },
    draining: () => stub.draining,
    parting: () => stub.draining,
  });
  const server = createApp(services);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const answerCheck = async () => ({ body: DECIDED });
  const stub: StubServer = {
    port,
    services,
    log,
    answerCheck,
    draining: false,
    call: (path, init = {}) => fetch(`http://127.0.0.1:${port}${path}`, init),
    post: (path, body, headers = {}) =>
      stub.call(path, { method: 'POST', body, headers: { ...JSON_HEADERS, ...headers } }),
    postCheck: (body, headers = {}) => stub.post('/check', body, headers),
    reset: () => {
      stub.answerCheck = answerCheck;
      stub.draining = false;
      log.lines.length = 0;
    },
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return stub;
}

/** The problem document that an answer is, once it is as every one should be. */
export async function problemOf(
  response: Response,
  status: number,
  code: string,
): Promise<Problem> {
  const text = await response.text();
  assert.equal(response.status, status, text);
  assert.equal(response.headers.get('content-type'), 'application/problem+json');
  const body = JSON.parse(text);
  assert.equal(body.status, status);
  assert.equal(body.code, code);
  assert.equal(body.type, `urn:countersign:problem:${code}`);
  assert.equal(body.request_id, response.headers.get('x-request-id'));
  assert.ok(body.title.length > 0 && body.detail.length > 0);
  return body;
}
