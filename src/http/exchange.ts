import type { IncomingMessage, ServerResponse } from 'node:http';
import { requestIdOf } from './request-id.js';
import type { Route } from './route.js';

/** One request with its answer, as every part of the HTTP layer hands it on. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly requestId: string;
  /** Whether the connection ends with this answer, because the server is on its way down. */
  readonly last: boolean;
  /** Known once the path is. */
  route: Route | undefined;
  /** The credential's name, known once it is accepted. */
  caller: string | undefined;
}

/** Begins an exchange: gives it its id. */
export function beginExchange(
  request: IncomingMessage,
  response: ServerResponse,
  last: boolean,
): Exchange {
  const requestId = requestIdOf(request.headers['x-request-id']);
  return { request, response, requestId, last, route: undefined, caller: undefined };
}
