import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** A child process that has said that it is ready. */
export interface ReadyProcess {
  readonly pid: number;
  /** The line that said so, matched. */
  readonly match: RegExpExecArray;
  /** SIGTERM, then waits for its end. */
  stop(): Promise<void>;
}

/** How a process is started. */
export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** What it writes, on standard output or error, once it is ready. */
  readonly ready: RegExp;
}

/**
 * Starts a process and waits until it says that it is ready. It is ended with this one, however that
 * ends. Throws, with what it last wrote, where it ends first.
 */
export async function startProcess({
  command,
  args,
  cwd,
  env = {},
  ready,
}: Launch): Promise<ReadyProcess> {
  const child = spawn(command, args, {
    cwd,
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  const ended = once(child, 'close').then(() => void process.off('exit', kill));
  const match = await untilReady(child, ready, ended);
  return {
    pid: child.pid ?? 0,
    match,
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

function untilReady(
  child: ChildProcess,
  ready: RegExp,
  ended: Promise<void>,
): Promise<RegExpExecArray> {
  return new Promise((resolve, reject) => {
    let last: string[] = [];
    for (const stream of [child.stdout, child.stderr]) {
      if (stream === null) continue;
      createInterface({ input: stream }).on('line', (line) => {
        last = [...last.slice(-20), line];
        const match = ready.exec(line);
        if (match !== null) resolve(match);
      });
    }
    const command = child.spawnargs.slice(0, 3).join(' ');
    ended.then(() => reject(new Error(`${command} ended:\n${last.join('\n')}`)), reject);
  });
}
