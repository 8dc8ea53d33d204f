import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { hasBody } from './body.js';
import type { Exchange } from './exchange.js';
import { answerable, logFailure, problemHeaders, problemOf } from './problem.js';
import type { Answer } from './route.js';
import type { HttpLog } from './services.js';

/** A body up to this size that nobody read is read away; a larger one costs the connection. */
const IDLE_BODY = 64 * 1024;

/** How long, in milliseconds, a caller may go on sending a body that nobody wants. */
const LINGER = 1_000;

/** Sends an answer, with the headers that every answer has. */
export function sendAnswer(exchange: Exchange, { status, body, text, headers = {} }: Answer): void {
  if (body === undefined && text === undefined) {
    send(exchange, status, undefined, headers);
    return;
  }
  const type = body === undefined ? {} : { 'Content-Type': 'application/json; charset=utf-8' };
  send(exchange, status, text ?? JSON.stringify(body), { ...type, ...headers });
}

/** Answers an error as a problem document, and logs it where it is the server's own fault. */
export function answerError(exchange: Exchange, error: unknown, log: HttpLog): void {
  const known = answerable(error);
  const { requestId } = exchange;
  logFailure(known, requestId, log);
  send(exchange, known.status, JSON.stringify(problemOf(known, requestId)), {
    'Content-Type': 'application/problem+json',
    ...problemHeaders(known),
  });
}

function send(
  exchange: Exchange,
  status: number,
  text: string | undefined,
  headers: OutgoingHttpHeaders,
): void {
  const { request, response, requestId } = exchange;
  if (response.headersSent || response.destroyed) return;
  const abandons = leavesMuchUnread(exchange);
  response.writeHead(status, {
    ...(text === undefined ? {} : { 'Content-Length': Buffer.byteLength(text, 'utf8') }),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    'X-Request-Id': requestId,
    ...(abandons || exchange.last ? { Connection: 'close' } : {}),
    ...headers,
  });
  if (!abandons || !mayBeSending(request) || text === undefined || request.method === 'HEAD') {
    // A string leaves with the headers in one write; bytes would take two.
    response.end(text, 'utf8');
    return;
  }
  // The caller may still be sending: closing now would reset the connection under the answer. The
  // answer is complete once written; the end of it waits until the caller stops, or long enough.
  response.write(text, 'utf8');
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
