import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from 'node:http';
import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express';
import helmet from 'helmet';
import { InvalidRequest, MethodNotAllowed } from '../errors.js';
import { answerError, sendAnswer } from './answer.js';
import { noteLatest, refuseMalformed } from './client-error.js';
import { beginExchange, type Exchange } from './exchange.js';
import { noSuchPath } from './problem.js';
import { observeExchange } from './observe.js';
import type { Route } from './route.js';
import { allRoutes } from './routes.js';
import { serve } from './serve.js';
import type { Services } from './services.js';

/** Bounds on what a slow or strange client may cost; times in milliseconds. */
const BOUNDS = {
  // Who is slower with the head of a request has shown no credential yet.
  headersTimeout: 10_000,
  // The whole of a request: 64 MiB at 10 Mbit/s.
  requestTimeout: 60_000,
  // Longer than the idle time of common load balancers (60 s), so that they close first.
  keepAliveTimeout: 65_000,
  connectionsCheckingInterval: 2_000,
  maxHeaderSize: 16 * 1024,
  // Its absence is refused by ourselves, as every other fault is.
  requireHostHeader: false,
} satisfies ServerOptions;

const NO_PARAMS = {};

const ignore = (): void => undefined;

/** Makes the server: not listening yet, and closed by its owner. `bounds` replace the usual ones. */
export function createApp(services: Services, bounds: Partial<typeof BOUNDS> = {}): Server {
  const routes = allRoutes(services);
  const hot = new Map(routes.filter((route) => route.hot).map((route) => [route.path, route]));
  const exchanges = new WeakMap<IncomingMessage, Exchange>();
  const rest = createExpress(routes, services, (request) => exchanges.get(request));

  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    noteLatest(request.socket, response);
    // Writing to a caller that has gone is no fault of ours.
    response.on('error', ignore);
    const exchange = beginExchange(request, response, services.parting());
    observeExchange(exchange, services);
    if (request.headers.host === undefined && request.httpVersion === '1.1') {
      answerError(exchange, new InvalidRequest('HTTP/1.1 needs the header `Host`'), services.log);
      return;
    }
    const route = hot.get(request.url ?? '');
    if (route !== undefined && route.method === request.method) {
      serve(exchange, route, NO_PARAMS, services);
      return;
    }
    exchanges.set(request, exchange);
    rest(request, response);
  };

  const server = createServer({ ...BOUNDS, ...bounds }, handle);
  // Answered like any other request: the body is asked for when it is read.
  server.on('checkContinue', handle);
  server.on('checkExpectation', handle);
  server.on('clientError', (error, socket) => {
    refuseMalformed(error, socket);
  });
  return server;
}

function createExpress(
  routes: readonly Route[],
  services: Services,
  exchangeOf: (request: IncomingMessage) => Exchange | undefined,
): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', false);
  app.enable('case sensitive routing');
  app.enable('strict routing');
  app.use(securityHeaders());
  for (const [path, methods] of byPath(routes)) {
    app.all(path, (request, response) => {
      const exchange = exchangeOf(request) ?? beginExchange(request, response, false);
      const route = methods.get(request.method === 'HEAD' ? 'GET' : request.method);
      if (route === undefined) {
        answerOtherMethod(exchange, [...methods.keys()], services);
        return;
      }
      // Every parameter of our paths is one whole segment: always a string.
      serve(exchange, route, request.params as Record<string, string>, services);
    });
  }
  const notFound: RequestHandler = (request, response) => {
    const exchange = exchangeOf(request) ?? beginExchange(request, response, false);
    answerError(exchange, noSuchPath(), services.log);
  };
  app.use(notFound);
  // Express knows an error handler by its four parameters.
  const failed: ErrorRequestHandler = (error, request, response, _next) => {
    const exchange = exchangeOf(request) ?? beginExchange(request, response, false);
    answerError(exchange, error, services.log);
  };
  app.use(failed);
  return app;
}

function byPath(routes: readonly Route[]): Map<string, Map<string, Route>> {
  const paths = new Map<string, Map<string, Route>>();
  for (const route of routes) {
    const methods = paths.get(route.path) ?? new Map<string, Route>();
    paths.set(route.path, methods.set(route.method, route));
  }
  return paths;
}

function answerOtherMethod(exchange: Exchange, known: readonly string[], { log }: Services): void {
  const allowed = [...known, ...(known.includes('GET') ? ['HEAD'] : []), 'OPTIONS'];
  const { method = '' } = exchange.request;
  if (method === 'OPTIONS') {
    sendAnswer(exchange, { status: 204, headers: { Allow: allowed.join(', ') } });
  } else {
    answerError(exchange, new MethodNotAllowed(method, allowed), log);
  }
}

/** The answers are data: nothing of them may be framed, run or kept by a browser. */
function securityHeaders(): RequestHandler {
  return helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { 'default-src': ["'none'"], 'frame-ancestors': ["'none'"] },
    },
  });
}
