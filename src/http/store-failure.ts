/** SQLSTATE classes and codes of a database that is away, starting, full or too slow. */
const SQL_STATES = /^(?:08...|53...|57P0[1-5]|57014|55P03|40001|40P01|25P03)$/;

const SYSTEM_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENOENT',
]);

/** What pg, its pool and ioredis say without a code. */
const MESSAGES = [
  'query read timeout',
  'timeout exceeded when trying to connect',
  'connection terminated',
  'client has encountered a connection error',
  'cannot use a pool after calling end',
  'client was closed and is not queryable',
  'command timed out',
  'connection is closed',
  "stream isn't writeable",
  'reached the max retries per request limit',
];

/** What a Redis begins its refusals with while it is full, starting, busy or changing its roles. */
const REDIS_REFUSALS =
  /^(?:OOM|LOADING|BUSY|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|MISCONF|NOREPLICAS) /;

const DEEPEST_CAUSE = 5;

/** Whether an error means that Postgres or Redis could not be reached in time: a 503, not a 500. */
export function isStoreFailure(error: unknown, depth = 0): boolean {
  if (!(error instanceof Error) || depth > DEEPEST_CAUSE) return false;
  const code: unknown = 'code' in error ? error.code : undefined;
  if (typeof code === 'string') {
    if (SQL_STATES.test(code)) return true;
    if (SYSTEM_CODES.has(code) && 'syscall' in error && error.syscall !== 'open') return true;
  }
  if (REDIS_REFUSALS.test(error.message)) return true;
  const message = error.message.toLowerCase();
  if (MESSAGES.some((known) => message.startsWith(known))) return true;
  if (error instanceof AggregateError) {
    return error.errors.some((inner) => isStoreFailure(inner, depth + 1));
  }
  return isStoreFailure(error.cause, depth + 1);
}
