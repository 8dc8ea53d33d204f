import { STATUS_CODES, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { InvalidRequest } from '../errors.js';
import { problemOf } from './problem.js';
import { requestIdOf } from './request-id.js';

const DETAILS: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: 'the headers are too large',
  ERR_HTTP_REQUEST_TIMEOUT: 'the request did not arrive in time',
};

/** Where a connection keeps its latest answer: as a member, which costs each request less than a map. */
const LATEST = Symbol('latest answer');

/** A connection as this server has it. */
type Connection = Duplex & { [LATEST]?: ServerResponse };

/** Keeps in mind which answer of a connection is the latest to have begun. */
export function noteLatest(socket: Connection, response: ServerResponse): void {
  socket[LATEST] = response;
}

/**
 * Answers what is no HTTP, or comes too slowly, and closes the connection. Written by hand, since
 * there is no response object for a request that never became one. Where an answer to an earlier
 * request of the connection is under way, nothing is put before or between its bytes: the connection
 * ends.
 */
export function refuseMalformed(
  error: Error & { readonly code?: string },
  socket: Connection,
): void {
  const latest = socket[LATEST];
  if (!socket.writable || error.code === 'ECONNRESET' || !isFree(socket, latest)) {
    socket.destroy();
    return;
  }
  const requestId = requestIdOf(undefined);
  const detail = DETAILS[error.code ?? ''] ?? 'this is not a valid HTTP/1.1 request';
  const problem = problemOf(new InvalidRequest(detail), requestId);
  const body = JSON.stringify(problem);
  const head = [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}`,
    'Content-Type: application/problem+json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Cache-Control: no-store',
    'X-Content-Type-Options: nosniff',
    `X-Request-Id: ${requestId}`,
    'Connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
}

/** Whether the next bytes on the connection may be an answer to what cannot be read. */
function isFree(socket: Duplex, latest: ServerResponse | undefined): boolean {
  if (latest === undefined || latest.writableFinished) return true;
  // What cannot be read is the rest of this request, it is its turn, and its answer has not begun.
  return !latest.req.complete && latest.socket === socket && !latest.headersSent;
}
