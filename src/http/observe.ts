import type { Exchange } from './exchange.js';
import type { Services } from './services.js';

/** Counts and logs an exchange once it is over. Nothing that a caller sent is logged but its method. */
export function observeExchange(
  exchange: Exchange,
  { metrics, log, clock }: Pick<Services, 'metrics' | 'log' | 'clock'>,
): void {
  const { request, response, requestId } = exchange;
  const began = clock.now();
  // It closes once. `once` would pay for making sure of that at every request.
  response.on('close', () => {
    const { route, caller } = exchange;
    const status = response.statusCode;
    // An unknown path is one label: callers must not make time series.
    const path = route?.path ?? 'unknown';
    metrics.httpRequests.inc(route?.method ?? 'other', path, String(status));
    const routine = isRoutine(exchange);
    if (routine && !log.isLevelEnabled('debug')) return;
    const line = {
      requestId,
      method: request.method,
      route: path,
      status,
      ms: clock.now() - began,
      ...(caller === undefined ? {} : { caller }),
      ...(response.writableFinished ? {} : { aborted: true }),
    };
    if (routine) log.debug(line, 'answered');
    else log.info(line, 'answered');
  });
}

/** What comes many times a second and is counted anyway: checks and probes. */
function isRoutine({ route }: Exchange): boolean {
  return route !== undefined && (route.hot || route.access === 'public');
}
