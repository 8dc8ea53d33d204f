import { STATUS_CODES, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { InvalidRequest } from '../errors.js';
import { problemOf } from './problem.js';
import { requestIdOf } from './request-id.js';

const DETAILS: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: 'the headers are too large',
  ERR_HTTP_REQUEST_TIMEOUT: 'the request did not arrive in time',
};

/** Where a connection keeps its answers: as members, which cost each request less than a map. */
const LATEST = Symbol('latest answer');
const BEFORE = Symbol('the answer before that');
const REFUSED = Symbol('refused');

/** A connection as this server has it. */
type Connection = Duplex & {
  [LATEST]?: ServerResponse;
  [BEFORE]?: ServerResponse | undefined;
  [REFUSED]?: boolean;
};

/** Keeps in mind which answer of a connection is the latest to have begun. */
export function noteLatest(socket: Connection, response: ServerResponse): void {
  const former = socket[LATEST];
  // One that is sent is of no more account, and is not held on to.
  socket[BEFORE] = former?.writableFinished ? undefined : former;
  socket[LATEST] = response;
}

/**
 * Answers what is no HTTP, or comes too slowly, and closes the connection. Written by hand, since
 * there is no response object for a request that never became one. Whole requests that came before it are
 * answered first: they may have been decided, and their grants spent. Where an answer to this very request
 * has begun, nothing is put between its bytes: the connection ends.
 */
export function refuseMalformed(
  error: Error & { readonly code?: string },
  socket: Connection,
): void {
  const owed = owedBefore(socket);
  // Who is too slow to send may be too slow to read: for those nobody waits.
  if (owed === undefined || !error.code?.startsWith('HPE_')) {
    refuse(error, socket);
    return;
  }
  // What comes after that is no HTTP either.
  if (socket[REFUSED]) return;
  socket[REFUSED] = true;
  owed.once('close', () => refuse(error, socket));
}

/** The last answer to a whole request that is not sent yet; those before it go out before it. */
function owedBefore(socket: Connection): ServerResponse | undefined {
  const latest = socket[LATEST];
  const last = latest?.req.complete ? latest : socket[BEFORE];
  return last === undefined || last.writableFinished || last.destroyed ? undefined : last;
}

function refuse(error: Error & { readonly code?: string }, socket: Connection): void {
  // An answer said that it is the last: the connection ends once that is sent.
  if (socket.writableEnded) return;
  if (!socket.writable || error.code === 'ECONNRESET' || !isFree(socket, socket[LATEST])) {
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
