import { BatchBody, CheckBody } from '../decision/check-schema.js';
import type { BatchResult, CheckService } from '../decision/check-service.js';
import { answerable, problemMembers } from './problem.js';
import { type Answer, callMeta, guardedRoute, type Route } from './route.js';
import type { Services } from './services.js';

/** `POST /check` and `/check/batch`: the check service reads the bodies and decides everything. */
export function checkRoutes({ checks, log }: Pick<Services, 'checks' | 'log'>): Route[] {
  return [
    guardedRoute({
      method: 'POST',
      path: '/check',
      hot: true,
      body: CheckBody,
      bodyUnchecked: true,
      handle: async (call) => asHttp(await checks.check(call.caller, call.body, callMeta(call))),
    }),
    guardedRoute({
      method: 'POST',
      path: '/check/batch',
      hot: true,
      body: BatchBody,
      bodyUnchecked: true,
      handle: async (call) => {
        const answer = await checks.checkBatch(call.caller, call.body, callMeta(call));
        const results = answer.results.map((result) => itemOf(result, call.requestId, log));
        return { status: 200, body: { results, revision: answer.revision } };
      },
    }),
  ];
}

function asHttp({ body, retryAfter }: Awaited<ReturnType<CheckService['check']>>): Answer {
  const limit = body.rate_limit;
  return {
    status: 200,
    body,
    headers: {
      ...(limit === undefined
        ? {}
        : {
            'X-RateLimit-Limit': String(limit.limit),
            'X-RateLimit-Remaining': String(limit.remaining),
            'X-RateLimit-Reset': String(limit.reset),
          }),
      ...(retryAfter === undefined ? {} : { 'Retry-After': String(Math.ceil(retryAfter)) }),
    },
  };
}

/** One place of the results: the decision, or a problem without what the whole answer says already. */
function itemOf(result: BatchResult, requestId: string, log: Services['log']): object {
  if ('answer' in result) return result.answer.body;
  const error = answerable(result.error);
  if (error.status >= 500) {
    log.error({ requestId, err: error.cause ?? error }, 'an item of a batch was not answered');
  }
  return { error: problemMembers(error) };
}
