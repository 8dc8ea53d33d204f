import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';

/** A child process that has said, or shown, that it is ready. */
export interface ReadyProcess {
  readonly pid: number;
  /** The first group of `Launch.says`, empty without one. */
  readonly said: string;
  /** SIGTERM, then waits for its end. */
  stop(): Promise<void>;
}

/** How a process is started, and how it is known to be ready. */
export type Launch = {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
} & (
  | {
      /** A line that it writes. */
      readonly says: RegExp;
    }
  | {
      /** An address that answers with 200. */
      readonly answers: string;
    }
);

/**
 * Starts a process and waits until it is ready. It is ended with this one, however that ends. Throws,
 * with what it last wrote, where it ends first.
 */
export async function startProcess(launch: Launch): Promise<ReadyProcess> {
  const { command, args, cwd, env = {} } = launch;
  const child = spawn(command, args, {
    cwd,
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  const ended = once(child, 'close').then(() => void process.off('exit', kill));
  const said = await Promise.race([
    'says' in launch ? untilSaid(child, launch.says) : untilAnswered(launch.answers),
    failure(child, ended),
  ]);
  return {
    pid: child.pid ?? 0,
    said,
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

function untilSaid(child: ChildProcess, pattern: RegExp): Promise<string> {
  return new Promise((resolve) => {
    eachLine(child, (line) => {
      const match = pattern.exec(line);
      if (match !== null) resolve(match[1] ?? '');
    });
  });
}

async function untilAnswered(url: string): Promise<string> {
  for (;;) {
    const answer = await fetch(url).catch(() => undefined);
    if (answer?.ok) return '';
    await delay(50);
  }
}

async function failure(child: ChildProcess, ended: Promise<void>): Promise<never> {
  const last: string[] = [];
  eachLine(child, (line) => {
    last.push(line);
    if (last.length > 20) last.shift();
  });
  await ended;
  throw new Error(`${child.spawnargs.join(' ')} ended:\n${last.join('\n')}`);
}

function eachLine(child: ChildProcess, take: (line: string) => void): void {
  for (const stream of [child.stdout, child.stderr]) {
    if (stream !== null) createInterface({ input: stream }).on('line', take);
  }
}
