import { spawnSync } from 'node:child_process';
import { chownSync, statSync } from 'node:fs';

/** The account that the database runs as where that is not our own. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** Where the system knows no `nobody`. */
const NOBODY = 65_534;

/**
 * Postgres refuses to run as root: the account that runs it then. The owner of the data where there
 * is some, else `nobody`. `undefined` where we are no root, and run it ourselves.
 */
export function databaseAccount(dataPath: string): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const owner = statSync(dataPath, { throwIfNoEntry: false });
  if (owner !== undefined && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  return { uid: idOf('-u'), gid: idOf('-g') };
}

/** Whether `account` (we ourselves, where there is none) can enter the folder or run the program at `path`. */
export function canReach(path: string, account: Account | undefined): boolean {
  const test = spawnSync('/bin/sh', ['-c', 'test -x "$1"', 'sh', path], {
    ...account,
    cwd: '/',
    stdio: 'ignore',
  });
  return test.status === 0;
}

/** Gives a folder of ours to the account. */
export function giveTo(account: Account | undefined, path: string): void {
  if (account) chownSync(path, account.uid, account.gid);
}

function idOf(which: '-u' | '-g'): number {
  const { status, stdout } = spawnSync('id', [which, 'nobody'], { encoding: 'utf8' });
  // macOS has it at -2, and shows that without a sign.
  return status === 0 ? Number(stdout) | 0 : NOBODY;
}
