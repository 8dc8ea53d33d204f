import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EmbeddedPostgresError } from './embedded-postgres-error.js';
import { processOf } from './processes.js';

/** Longer than the watchdog gives Postgres to stop. */
const PATIENCE_MS = 10_000;
const POLL_MS = 20;

/**
 * Waits for the Postgres of a server that was killed: its watchdog stops it, which takes a moment.
 * The caller holds the data directory's lock, so no living server can be its owner.
 */
export async function awaitLeftover(pgDir: string, signal?: AbortSignal): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  let pid = leftoverPid(pgDir);
  while (pid !== undefined && performance.now() < deadline) {
    await sleep(POLL_MS, undefined, signal && { signal });
    pid = leftoverPid(pgDir);
  }
  if (pid === undefined) return;
  throw new EmbeddedPostgresError(
    `a Postgres that no server owns (process ${pid}) still runs on \`${pgDir}\`; stop it with \`kill -INT ${pid}\`, then start again`,
  );
}

function leftoverPid(pgDir: string): number | undefined {
  const file = join(pgDir, 'postmaster.pid');
  const pid = Number.parseInt(textOf(file), 10);
  if (Number.isNaN(pid)) return undefined;
  if (processOf(pid)?.program.includes('postgres')) return pid;
  // Its id may belong to another program by now, which Postgres would take for itself.
  rmSync(file, { force: true });
  return undefined;
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
