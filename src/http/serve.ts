import type { IncomingMessage, ServerResponse } from 'node:http';
import { InvalidRequest } from '../errors.js';
import { authenticate } from '../identity/authenticate.js';
import { requirePermission } from '../identity/permissions.js';
import { answerError, sendAnswer } from './answer.js';
import { readJsonObject } from './body.js';
import type { Exchange } from './exchange.js';
import { holdsControl } from './fields.js';
import { parseQuery } from './query.js';
import type { Answer, CallBase, GuardedRoute, Route } from './route.js';
import type { Services } from './services.js';

/** These decide too much to be guessed at when they come twice. */
const SINGLE_HEADERS = new Set(['authorization', 'content-type', 'idempotency-key']);

/**
 * Takes one request through its route: who asks, may they, the query, the body, the handler. Every
 * end of it is one answer: the handler's, or a problem document.
 */
export async function serve(
  exchange: Exchange,
  route: Route,
  params: Readonly<Record<string, string>>,
  services: Services,
): Promise<void> {
  exchange.route = route;
  try {
    sendAnswer(exchange, await answerOf(exchange, route, params, services));
  } catch (error) {
    answerError(exchange, error, services.log);
  }
}

async function answerOf(
  exchange: Exchange,
  route: Route,
  params: Readonly<Record<string, string>>,
  services: Services,
): Promise<Answer> {
  const { request } = exchange;
  refuseRepeatedHeaders(request.rawHeaders);
  refuseOddParams(params);
  const base: CallBase = {
    requestId: exchange.requestId,
    ip: request.socket.remoteAddress,
    params,
    idempotencyKey: request.headers['idempotency-key']?.toString(),
  };
  const url = request.url ?? '';
  if (route.access === 'public') return route.handle({ ...base, query: parseQuery(url, route) });
  const { authorization } = request.headers;
  const caller = authenticate(authorization, services.current.snapshot.keys, services.clock.now());
  exchange.caller = caller.id;
  if (route.permission !== undefined) {
    requirePermission(caller, route.permission, route.unbound ? undefined : caller.tenant);
  }
  const query = parseQuery(url, route);
  const body = await bodyOf(request, exchange.response, route);
  return route.handle({ ...base, caller, query, body });
}

async function bodyOf(
  request: IncomingMessage,
  response: ServerResponse,
  { body }: GuardedRoute,
): Promise<unknown> {
  if (body === undefined) return undefined;
  return body.parse(await readJsonObject(request, response, body));
}

function refuseRepeatedHeaders(rawHeaders: readonly string[]): void {
  const seen = new Set<string>();
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]?.toLowerCase() ?? '';
    if (!SINGLE_HEADERS.has(name)) continue;
    if (seen.has(name)) throw new InvalidRequest(`the header \`${name}\` may be sent once only`);
    seen.add(name);
  }
}

function refuseOddParams(params: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(params)) {
    if (holdsControl(value)) {
      throw new InvalidRequest(`\`${name}\` in the path holds a control character`);
    }
  }
}
