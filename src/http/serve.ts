import { InvalidRequest, Unavailable } from '../errors.js';
import { authenticate, authenticateAgain } from '../identity/authenticate.js';
import type { Caller } from '../identity/caller.js';
import { requirePermission } from '../identity/permissions.js';
import { answerError, sendAnswer } from './answer.js';
import { readBody } from './body.js';
import type { Exchange } from './exchange.js';
import { holdsControl } from './fields.js';
import { parseQuery } from './query.js';
import type { Answer, CallBase, GuardedRoute, Route } from './route.js';
import type { Eventual } from '../platform/eventual.js';
import { withinTime } from '../platform/later.js';
import type { Services } from './services.js';

/** These decide too much to be guessed at when they come twice. */
const SINGLE_HEADERS = ['authorization', 'content-type', 'idempotency-key'];

/**
 * Takes one request through its route: who asks, may they, the query, the body, the handler. Every
 * end of it is one answer: the handler's, or a problem document. Nothing is awaited that is here
 * already: a check that needs no store is answered in the turn in which its body arrives.
 */
export function serve(
  exchange: Exchange,
  route: Route,
  params: Readonly<Record<string, string>>,
  services: Services,
): void {
  exchange.route = route;
  answerWith(exchange, services, () => {
    const { request } = exchange;
    refuseRepeatedHeaders(request.rawHeaders);
    refuseOddParams(params);
    if (route.access === 'public') {
      const query = parseQuery(request.url ?? '', route);
      return route.handle(callOf(exchange, params, { caller: undefined, query, body: undefined }));
    }
    return serveGuarded(exchange, route, params, services);
  });
}

/** Undefined where the answer comes once the body has. */
function serveGuarded(
  exchange: Exchange,
  route: GuardedRoute,
  params: Readonly<Record<string, string>>,
  services: Services,
): Eventual<Answer> | undefined {
  const { request, response } = exchange;
  const { keys } = services.current.snapshot;
  const caller = authenticate(request.headers.authorization, keys, services.clock.now());
  exchange.caller = caller.id;
  if (route.permission !== undefined) {
    requirePermission(caller, route.permission, route.unbound ? undefined : caller.tenant);
  }
  const query = parseQuery(request.url ?? '', route);
  const { body: terms, handle, handleLarge } = route;
  if (terms === undefined) {
    return handle(callOf(exchange, params, { caller, query, body: undefined }));
  }
  // A key may be revoked, or expire, while the body is on its way, or waits for its turn.
  const authenticateStill = (): void => {
    authenticateAgain(caller, services.current.snapshot.keys, services.clock.now());
  };
  readBody(request, response, terms, {
    read: (body) =>
      answerWith(exchange, services, () => {
        authenticateStill();
        return handle(callOf(exchange, params, { caller, query, body: terms.parse(body) }));
      }),
    readLarge: (body) =>
      answerWith(exchange, services, () => {
        authenticateStill();
        return handleLarge?.({ ...callOf(exchange, params, { caller, query, body }), body });
      }),
    fail: (error) => answerError(exchange, error, services.log),
  });
  return undefined;
}

/** Sends what `work` answers or throws, now or later; nothing where it answers `undefined`. */
function answerWith(
  exchange: Exchange,
  { log }: Services,
  work: () => Eventual<Answer> | undefined,
): void {
  try {
    const answer = work();
    if (answer instanceof Promise) {
      void inTime(answer, exchange.route)
        .then((late) => sendAnswer(exchange, late))
        .catch((error: unknown) => answerError(exchange, error, log));
    } else if (answer !== undefined) {
      sendAnswer(exchange, answer);
    }
  } catch (error) {
    answerError(exchange, error, log);
  }
}

/** What `answer` comes to, if it does so in the time of the route. @throws Unavailable */
async function inTime(answer: Promise<Answer>, route: Route | undefined): Promise<Answer> {
  if (route?.answerTime === undefined) return answer;
  const answered = await withinTime(answer, route.answerTime, undefined);
  if (answered !== undefined) return answered;
  throw new Unavailable(route.method === 'GET' ? TOO_LATE : MAY_BE_DONE);
}

const TOO_LATE = 'the server was not done in time; try again';
const MAY_BE_DONE =
  'the server was not done in time, and may yet do what it was asked: look whether it did before you ask again';

/** Member by member: to spread a part into the whole would cost more than the whole. */
function callOf<Who extends Caller | undefined>(
  { request, requestId }: Exchange,
  params: Readonly<Record<string, string>>,
  { caller, query, body }: { caller: Who; query: unknown; body: unknown },
): CallBase & { caller: Who; query: unknown; body: unknown } {
  return {
    requestId,
    ip: request.socket.remoteAddress,
    params,
    idempotencyKey: request.headers['idempotency-key']?.toString(),
    caller,
    query,
    body,
  };
}

function refuseRepeatedHeaders(rawHeaders: readonly string[]): void {
  const seen: string[] = [];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = singleHeader(rawHeaders[index] ?? '');
    if (name === undefined) continue;
    if (seen.includes(name)) {
      throw new InvalidRequest(`the header \`${name}\` may be sent once only`);
    }
    seen.push(name);
  }
}

/** The name where it is one of those; the length, known at once, rules out nearly all others. */
function singleHeader(given: string): string | undefined {
  for (const name of SINGLE_HEADERS) {
    if (given.length === name.length && given.toLowerCase() === name) return name;
  }
  return undefined;
}

function refuseOddParams(params: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(params)) {
    if (holdsControl(value)) {
      throw new InvalidRequest(`\`${name}\` in the path holds a control character`);
    }
  }
}
