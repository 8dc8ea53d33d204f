import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { PROGRAM } from './program.js';

/** A server in a process of its own, started as a user would start it. */
export interface ServerProcess {
  readonly child: ChildProcess;
  readonly pid: number;
  /** Resolves with its address once it listens; rejects with what it said where it ends before. */
  readonly listening: Promise<string>;
  /** Resolves with the exit code (null after a signal) and everything it has written. */
  readonly ended: Promise<{ code: number | null; stdout: string; stderr: string }>;
}

/** Runs `countersign serve` on a data directory, with no settings but these, and no drain unless among them. */
export function spawnServer(dataDir: string, env: Record<string, string> = {}): ServerProcess {
  const child = spawn(process.execPath, [PROGRAM, 'serve'], {
    cwd: new URL('../..', import.meta.url).pathname,
    env: {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      PORT: '0',
      COUNTERSIGN_DATA_DIR: dataDir,
      COUNTERSIGN_DRAIN: '0s',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  const ended = once(child, 'close').then(([code]) => ({
    code: code as number | null,
    stdout,
    stderr,
  }));
  const listening = new Promise<string>((resolve, reject) => {
    lines.on('line', (line) => {
      stdout += `${line}\n`;
      const url = /^listening on (http:\/\/\S+)$/.exec(line)?.[1];
      if (url !== undefined) resolve(url);
    });
    ended.then(({ code }) => reject(new Error(`ended with ${code}: ${stderr}`)), reject);
  });
  // Not every test waits for it.
  listening.catch(() => undefined);
  assert.ok(child.pid !== undefined);
  return { child, pid: child.pid, listening, ended };
}

/** The database of a server that was killed ends a little later, and writes until then. */
const REMOVAL = { recursive: true, force: true, maxRetries: 20, retryDelay: 50 };

/** A data directory that goes when the test file is over, and the database in it has ended. */
export async function temporaryDataDir(): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'countersign-data-'));
  // Where root runs the tests, the database's own user passes through to folders below.
  await chmod(path, 0o711);
  return { path, remove: () => rm(path, REMOVAL) };
}

/** The root key of a data directory. */
export async function rootKeyOf(dataDir: string): Promise<string> {
  return (await readFile(join(dataDir, 'root.key'), 'utf8')).trim();
}
