/** What to do about what the operating system or Postgres says, by what was called and how it failed. */
const REMEDIES: Readonly<Record<string, string>> = {
  'listen EADDRINUSE': 'another program listens there; stop that, or set `PORT`',
  'listen EACCES': 'this user may not listen there; set `PORT` to one above 1023',
  'listen EADDRNOTAVAIL': 'this machine has no such address; correct `HOST`',
  'connect ECONNREFUSED': 'no Postgres listens there; start it, or correct `DATABASE_URL`',
  'connect ETIMEDOUT': 'nobody answers there; let this machine through, or correct `DATABASE_URL`',
  'connect EHOSTUNREACH': 'no way leads there; correct `DATABASE_URL`',
  'connect ENETUNREACH': 'no way leads there; correct `DATABASE_URL`',
  'connect ENOENT': 'there is no such socket; start Postgres, or correct `DATABASE_URL`',
  'getaddrinfo ENOTFOUND': 'nobody knows such a host; correct `DATABASE_URL`',
  'getaddrinfo EAI_AGAIN':
    'no name server answers; see to that, or put a number into `DATABASE_URL`',
  // SQLSTATE, which no call goes with.
  ' 3D000': 'make it, or correct `DATABASE_URL`',
  ' 28P01': 'correct the user and password in `DATABASE_URL`',
  ' 28000': 'correct the user in `DATABASE_URL`, or what `pg_hba.conf` lets in',
  ' 53300': 'raise `max_connections` of Postgres, or end what holds them',
};

/** Whatever cannot be made of the folder that the server writes to. */
const NO_FOLDER =
  'the server writes there; correct `COUNTERSIGN_DATA_DIR`, or give this user the right to';

/** The error that ended a start, saying which setting has to do with it and what to do, where that is known. */
export function startFailure(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { syscall = '', code } = error as NodeJS.ErrnoException;
  const remedy = syscall === 'mkdir' ? NO_FOLDER : REMEDIES[`${syscallOf(error, syscall)} ${code}`];
  return remedy === undefined
    ? error
    : new Error(`${messageOf(error)}: ${remedy}`, { cause: error });
}

/** An error of several, one for each address of a host, has the call in its parts alone. */
function syscallOf(error: Error, syscall: string): string {
  if (!(error instanceof AggregateError)) return syscall;
  const [first] = error.errors as readonly NodeJS.ErrnoException[];
  return first?.syscall ?? syscall;
}

/** What an error says; one of several, such as every address of a host that refused, has no message of its own. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') {
    return [...new Set(error.errors.map(messageOf))].join('; ');
  }
  return error instanceof Error ? error.message : String(error);
}
