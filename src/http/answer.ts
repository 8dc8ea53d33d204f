import type { IncomingMessage } from 'node:http';
import { hasBody } from './body.js';
import type { Exchange } from './exchange.js';
import { endTogether } from './together.js';
import { answerable, logFailure, problemHeaders, problemOf } from './problem.js';
import type { Answer } from './route.js';
import type { HttpLog } from './services.js';

/** A body up to this size that nobody read is read away; a larger one costs the connection. */
const IDLE_BODY = 64 * 1024;

/** How long, in milliseconds, a caller may go on sending a body that nobody wants. */
const LINGER = 1_000;

const JSON_TYPE = 'application/json; charset=utf-8';

/** Sends an answer, with the headers that every answer has. */
export function sendAnswer(exchange: Exchange, answer: Answer): void {
  const { status, body, headers, bytes } = answer;
  if (bytes !== undefined) {
    const type = headers?.['Content-Type'] === undefined ? JSON_TYPE : undefined;
    send(exchange, { status, type, content: bytes, headers });
    return;
  }
  const json = answer.json ?? (body === undefined ? undefined : JSON.stringify(body));
  const type = json === undefined ? undefined : JSON_TYPE;
  const content = json ?? answer.text;
  send(exchange, { status, type, content, headers });
}

/** Answers an error as a problem document, and logs it where it is the server's own fault. */
export function answerError(exchange: Exchange, error: unknown, log: HttpLog): void {
  const known = answerable(error);
  const { requestId } = exchange;
  logFailure(known, requestId, log);
  send(exchange, {
    status: known.status,
    type: 'application/problem+json',
    content: JSON.stringify(problemOf(known, requestId)),
    headers: problemHeaders(known),
  });
}

/** An answer as it leaves. */
interface Message {
  readonly status: number;
  /** The `Content-Type`; undefined where `headers` say it, or there is nothing. */
  readonly type: string | undefined;
  readonly content: string | Uint8Array | undefined;
  readonly headers: Answer['headers'];
}

function send(exchange: Exchange, { status, type, content, headers }: Message): void {
  const { request, response, requestId } = exchange;
  if (response.headersSent || response.destroyed) return;
  const abandons = leavesMuchUnread(exchange);
  // Names and values by turns: of all that node takes, what costs it least.
  const head = ['Cache-Control', 'no-store', 'X-Content-Type-Options', 'nosniff'];
  head.push('X-Request-Id', requestId);
  if (type !== undefined) head.push('Content-Type', type);
  const length = content === undefined ? 0 : Buffer.byteLength(content);
  if (content !== undefined) head.push('Content-Length', String(length));
  if (abandons || exchange.last) head.push('Connection', 'close');
  for (const name in headers) head.push(name, headers[name] ?? '');
  response.writeHead(status, head);
  if (typeof content === 'object') {
    response.end(content);
    return;
  }
  if (!abandons || !mayBeSending(request) || content === undefined || request.method === 'HEAD') {
    // A string leaves with the headers in one write; bytes would take two. As Latin-1, which ASCII
    // is too, node reserves a third of the memory for it.
    endTogether(response, content, length === content?.length ? 'latin1' : 'utf8');
    return;
  }
  // The caller may still be sending: closing now would reset the connection under the answer. The
  // answer is complete once written; the end of it waits until the caller stops, or long enough.
  response.write(content, 'utf8');
  const end = (): void => {
    clearTimeout(timer);
    response.end();
    request.destroy();
  };
  const timer = setTimeout(end, LINGER);
  request.once('end', end).once('error', end).once('close', end).resume();
}

/** A caller that waits for `100 Continue` and did not get it sends nothing. */
function mayBeSending(request: IncomingMessage): boolean {
  return request.headers.expect === undefined || request.readableDidRead;
}

function leavesMuchUnread({ request }: Exchange): boolean {
  if (request.complete || !hasBody(request)) return false;
  const { 'content-length': length, expect } = request.headers;
  // Whether a caller that waits for `100 Continue` will still send its body, nobody can know.
  if (request.readableDidRead || expect !== undefined) return true;
  return length === undefined || Number(length) > IDLE_BODY;
}
