import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Account, canReach, databaseAccount, giveTo } from './account.js';
import { EmbeddedPostgresError } from './embedded-postgres-error.js';

/** Where root keeps what the database's account must reach and the data directory is closed to. */
const SYSTEM_DIR = '/var/lib';

/** In the data directory: names the folder that holds the database where that is another one. */
const LOCATION_FILE = 'postgres.location';

/** The longest path of a socket, in bytes: 104 on macOS and 108 on Linux, the final NUL included. */
const MAX_SOCKET_PATH = 103;
const SOCKET_NAME = '.s.PGSQL.5432';

/** Where one database lives, and who runs it. */
export interface Placement {
  /** Holds the database's folder `pg`, and `pg.init` while it is being made. */
  readonly home: string;
  /** Where programs may be copied to. */
  readonly copies: string;
  readonly account: Account | undefined;
}

/** Makes the data directory where there is none; answers its real path. */
export function makeDataDir(dataDir: string): string {
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    return realpathSync(dataDir);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new EmbeddedPostgresError(
      `the data directory \`${dataDir}\` cannot be made (\`${code}\`); name another with \`COUNTERSIGN_DATA_DIR\``,
    );
  }
}

/**
 * Where the database of a data directory is: in it, unless we are root and the account that runs
 * Postgres in our stead cannot get there.
 */
export function placeDatabase(dataDir: string, systemDir = SYSTEM_DIR): Placement {
  const moved = join(dataDir, LOCATION_FILE);
  if (existsSync(moved)) return placedElsewhere(moved, systemDir);
  const account = databaseAccount(join(dataDir, 'pg'));
  if (account === undefined) return { home: dataDir, copies: dataDir, account };
  openForPassage(dataDir);
  if (canReach(dataDir, account)) return { home: dataDir, copies: systemDir, account };
  // A new name each time: a data directory that was deleted and made again starts empty.
  const home = mkdtempSync(join(systemDir, 'countersign-'));
  chmodSync(home, 0o711);
  writeFileSync(moved, `${home}\n`);
  return { home, copies: systemDir, account };
}

/** Never made anew: what was acknowledged would seem never to have been. */
function placedElsewhere(moved: string, systemDir: string): Placement {
  const home = readFileSync(moved, 'utf8').trim();
  if (!existsSync(home)) {
    throw new EmbeddedPostgresError(
      `the database is in \`${home}\`, says \`${moved}\`, and that folder is gone; bring it back, or remove \`${moved}\` to start with an empty one`,
    );
  }
  return { home, copies: systemDir, account: databaseAccount(join(home, 'pg')) };
}

/**
 * A folder for the database's socket: the database's own, which is closed to everybody else; a
 * short one where its path would be too long for a socket.
 */
export async function placeSocket(
  pgDir: string,
  account: Account | undefined,
): Promise<{ dir: string; temporary: boolean }> {
  if (fitsSocket(pgDir)) return { dir: pgDir, temporary: false };
  for (const parent of [tmpdir(), '/tmp']) {
    if (!fitsSocket(join(parent, 'countersign-XXXXXX')) || !canReach(parent, account)) continue;
    const dir = await mkdtemp(join(parent, 'countersign-'));
    giveTo(account, dir);
    return { dir, temporary: true };
  }
  throw new EmbeddedPostgresError(
    `no folder for the database's socket: the path of \`${pgDir}\` is too long, and so is that of \`TMPDIR\`; name a shorter one with \`COUNTERSIGN_DATA_DIR\``,
  );
}

function fitsSocket(dir: string): boolean {
  return Buffer.byteLength(join(dir, SOCKET_NAME)) <= MAX_SOCKET_PATH;
}

/** Lets others pass through the data directory of root, not list it; the key file has its own mode. */
function openForPassage(dataDir: string): void {
  const { uid, mode } = statSync(dataDir);
  if (uid === 0) chmodSync(dataDir, (mode & 0o777) | 0o011);
}
