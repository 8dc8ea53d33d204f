import { type ChildProcess, spawn } from 'node:child_process';
import type { Account } from './account.js';

/**
 * Runs its arguments, and stops what it runs when standard input closes: that happens too when our
 * process is killed, and then nobody else would stop it. SIGINT is Postgres's *fast* shutdown;
 * SIGQUIT drops everything, and the log is replayed at the next start.
 *
 * `$1` is a folder to remove at the end, or empty.
 */
const SCRIPT = `
folder=$1; shift
trap '' HUP INT TERM
exec 3<&0
"$@" </dev/null 3<&- &
server=$!
{
  while read -r line; do :; done <&3
  kill -INT "$server"
  left=50
  while kill -0 "$server" && [ "$left" -gt 0 ]; do sleep 0.1; left=$((left - 1)); done
  kill -QUIT "$server"
} >/dev/null 2>&1 &
reader=$!
exec 3<&-
wait "$server"
code=$?
kill -KILL "$reader"
[ -z "$folder" ] || rm -rf "$folder"
exit "$code"
`;

/** A program, and a shell that outlives us long enough to stop it. */
export interface Watched {
  /** The shell: it exits when the program has, with its code. */
  readonly child: ChildProcess;
  /** Asks the program to stop; the shell's exit says that it has. */
  release(): void;
}

/** What `runWatched` needs beside the command. */
export interface WatchOptions {
  readonly account: Account | undefined;
  /** A folder to remove when the program has ended. */
  readonly removeAfter?: string | undefined;
}

/** Runs a command that ends when we do, however we end. */
export function runWatched(command: readonly string[], options: WatchOptions): Watched {
  const { account, removeAfter = '' } = options;
  const child = spawn('/bin/sh', ['-c', SCRIPT, 'countersign-watchdog', removeAfter, ...command], {
    ...account,
    cwd: '/',
    // A session of its own: an interrupt from the terminal is for the server, which drains first.
    detached: true,
    stdio: ['pipe', 'ignore', 'pipe'],
    env: { PATH: process.env['PATH'], TZ: 'UTC', LC_ALL: 'C' },
  });
  // The shell may be gone before we let it go.
  child.stdin?.on('error', () => undefined);
  return { child, release: () => child.stdin?.end() };
}
