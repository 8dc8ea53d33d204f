import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Account, giveTo } from './account.js';
import type { Binaries } from './binaries.js';
import { EmbeddedPostgresError } from './embedded-postgres-error.js';
import type { Placement } from './placement.js';

/** The role and the database of ours, both by this name. */
export const DATABASE_NAME = 'countersign';

/**
 * Makes the database's folder where there is none: beside, then renamed, so that one that was begun
 * and never finished is never taken for one. `signal` breaks that off.
 *
 * @returns the folder
 * @throws EmbeddedPostgresError where what is there cannot be used
 */
export async function initialiseDatabase(
  binaries: Binaries,
  placement: Placement,
  signal?: AbortSignal,
): Promise<string> {
  const { home, account } = placement;
  const pgDir = join(home, 'pg');
  if (existsSync(pgDir)) {
    checkVersion(pgDir, binaries);
    return pgDir;
  }
  const beside = join(home, 'pg.init');
  await rm(beside, { recursive: true, force: true });
  await mkdir(beside, { mode: 0o700 });
  await chmod(beside, 0o700);
  giveTo(account, beside);
  await run({ account, signal }, join(binaries.root, 'bin', 'initdb'), [
    `--pgdata=${beside}`,
    `--username=${DATABASE_NAME}`,
    '--auth=trust',
    '--no-instructions',
    // The same order and letters on every machine, whatever its locales.
    '--encoding=UTF8',
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
  ]);
  await run(
    { account, signal },
    join(binaries.root, 'bin', 'postgres'),
    ['--single', '-D', beside, 'postgres'],
    `CREATE DATABASE ${DATABASE_NAME}\n`,
  );
  await rename(beside, pgDir);
  await syncFolder(home);
  return pgDir;
}

function checkVersion(pgDir: string, { major }: Binaries): void {
  let found: string;
  try {
    found = readFileSync(join(pgDir, 'PG_VERSION'), 'utf8').trim();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT')
      throw new EmbeddedPostgresError(
        `\`${pgDir}\` is no Postgres database; move it away, or name another data directory with \`COUNTERSIGN_DATA_DIR\``,
      );
    throw new EmbeddedPostgresError(
      `\`${pgDir}\` cannot be read (\`${code}\`): it belongs to another user; start as that user, or name another data directory with \`COUNTERSIGN_DATA_DIR\``,
    );
  }
  if (found === major) return;
  throw new EmbeddedPostgresError(
    `\`${pgDir}\` was made by Postgres ${found} and this server brings Postgres ${major}; start the version of the server that made it, or run a Postgres ${found} on it and name that with \`DATABASE_URL\``,
  );
}

/** Who runs a program, and what ends it early. */
interface Running {
  readonly account: Account | undefined;
  readonly signal: AbortSignal | undefined;
}

/** Runs a program to its end; its output is the message where it fails. */
async function run(
  { account, signal }: Running,
  program: string,
  args: readonly string[],
  input = '',
): Promise<void> {
  signal?.throwIfAborted();
  const child = spawn(program, args, { ...account, cwd: '/', env: { LC_ALL: 'C', TZ: 'UTC' } });
  let output = '';
  const keep = (chunk: Buffer) => {
    output += chunk.toString();
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const stop = (): void => void child.kill();
  signal?.addEventListener('abort', stop, { once: true });
  const code = await new Promise<number | null>((resolve) => {
    child.on('error', (error) => {
      output += error.message;
      resolve(null);
    });
    child.on('close', resolve);
  });
  signal?.removeEventListener('abort', stop);
  // Single-user Postgres ends with 0 after a failed statement.
  if (code === 0 && !/^.*\b(?:ERROR|FATAL|PANIC):/m.test(output)) return;
  throw new EmbeddedPostgresError(
    `the embedded database could not be made; set \`DATABASE_URL\` to use a Postgres of your own. It said: ${output.trim()}`,
  );
}

/** A rename is on the disk when its folder is. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path);
  await folder.sync();
  await folder.close();
}
