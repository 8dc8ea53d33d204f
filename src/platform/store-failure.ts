/** SQLSTATE classes and codes of a database that is away, starting or full. */
const AWAY = /^(?:08...|53...|57P0[1-5])$/;

/** Those of one that answers, but of which others had what was asked for, for too long. */
const HELD = /^(?:57014|55P03|40001|40P01|25P03)$/;

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
  "cluster isn't ready",
  'too many cluster redirections',
];

/**
 * What a Redis begins its refusals with while it is full, starting, busy or changing its roles, where its
 * user may not do what we ask, or somebody else has written to our keys; before Redis 7 that of a command
 * in a script comes after where that is.
 */
const REDIS_REFUSALS =
  /^(?:ERR Error running script .* -)?(OOM|LOADING|BUSY|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|MISCONF|NOREPLICAS|NOPERM|NOAUTH|WRONGTYPE|ERR The user executing the script can't run) ?/;

/** What ioredis says of what it has not sent. */
const UNSENT = /^(?:stream|cluster) isn't /i;

const DEEPEST_CAUSE = 5;

/** Whether an error means that Postgres or Redis could not answer in time: a 503, not a 500. */
export function isStoreFailure(error: unknown): boolean {
  return isAway(error) || (error instanceof Error && HELD.test(String(Reflect.get(error, 'code'))));
}

/** The word that a Redis has for why it refuses; undefined where the error is no refusal of its. */
export function refusalOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const word = REDIS_REFUSALS.exec(error.message)?.[1];
  return word?.startsWith('ERR') ? 'NOPERM' : word;
}

/** Whether an error of Redis leaves no doubt that it did not do what it was asked to. */
export function isUndone(error: unknown): boolean {
  return (
    error instanceof Error && (UNSENT.test(error.message) || REDIS_REFUSALS.test(error.message))
  );
}

/** Whether an error says that the store itself is away, starting, full or silent. */
export function isAway(error: unknown, depth = 0): boolean {
  if (!(error instanceof Error) || depth > DEEPEST_CAUSE) return false;
  const code: unknown = 'code' in error ? error.code : undefined;
  if (typeof code === 'string') {
    if (AWAY.test(code)) return true;
    if (SYSTEM_CODES.has(code) && 'syscall' in error && error.syscall !== 'open') return true;
  }
  if (REDIS_REFUSALS.test(error.message)) return true;
  const message = error.message.toLowerCase();
  if (MESSAGES.some((known) => message.startsWith(known))) return true;
  if (error instanceof AggregateError) {
    return error.errors.some((inner) => isAway(inner, depth + 1));
  }
  return isAway(error.cause, depth + 1);
}
