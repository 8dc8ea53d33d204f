import { randomUUID } from 'node:crypto';
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EmbeddedPostgresError } from './embedded-postgres-error.js';
import { processOf } from './processes.js';

/** In the data directory: who uses it. */
const LOCK_FILE = 'postgres.lock';

interface Holder {
  readonly pid: number;
  /** When that process started, so that its id given out again is not taken for it. */
  readonly started: string | undefined;
}

/**
 * Takes the data directory for this process. The lock of a process that was killed is void.
 *
 * @returns what gives it back
 * @throws EmbeddedPostgresError naming the process that holds it
 */
export function lockDataDir(dataDir: string): () => void {
  const path = join(dataDir, LOCK_FILE);
  const mine = `${path}.${randomUUID()}`;
  const holder: Holder = { pid: process.pid, started: processOf(process.pid)?.started };
  writeFileSync(mine, `${JSON.stringify(holder)}\n`);
  try {
    while (!placeLock(mine, path)) removeStale(path, dataDir);
  } finally {
    rmSync(mine, { force: true });
  }
  return () => rmSync(path, { force: true });
}

/** A link appears whole or not at all: nobody ever reads half a lock. */
function placeLock(mine: string, path: string): boolean {
  try {
    linkSync(mine, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function removeStale(path: string, dataDir: string): void {
  const found = readLock(path);
  if (found === undefined) return;
  refuseLiveHolder(found, dataDir);
  // Moved away before it is removed, so that of two who found it stale one alone gets it; whoever
  // moved a lock that was placed meanwhile puts it back.
  const aside = `${path}.${randomUUID()}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  try {
    if (readLock(aside) !== found) placeLock(aside, path);
  } finally {
    rmSync(aside, { force: true });
  }
}

function refuseLiveHolder(lock: string, dataDir: string): void {
  const holder = parseHolder(lock);
  if (holder === undefined || processOf(holder.pid)?.started !== holder.started) return;
  throw new EmbeddedPostgresError(
    `the data directory \`${dataDir}\` is in use by another server (process ${holder.pid}); stop that one, or give this one a directory of its own with \`COUNTERSIGN_DATA_DIR\``,
  );
}

function readLock(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function parseHolder(lock: string): Holder | undefined {
  try {
    const holder = JSON.parse(lock) as Holder;
    return Number.isInteger(holder.pid) && holder.started !== undefined ? holder : undefined;
  } catch {
    return undefined;
  }
}
