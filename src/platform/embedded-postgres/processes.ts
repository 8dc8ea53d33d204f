import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** A running process, as far as it matters here. */
export interface Process {
  /**
   * When it started, in whatever form the system tells it. Ids are given out again, above all in
   * containers; id and start together are one process.
   */
  readonly started: string;
  /** The program that it runs: `postgres`. */
  readonly program: string;
}

/** Looks a process up. One that has ended and that nobody has taken notice of does not run. */
export function processOf(pid: number): Process | undefined {
  return process.platform === 'linux' ? linuxProcess(pid) : otherProcess(pid);
}

/** `PID (program) STATE …`: the program may hold spaces and brackets, what follows may not. */
function linuxProcess(pid: number): Process | undefined {
  const stat = readOrEmpty(`/proc/${pid}/stat`);
  const [, program, rest = ''] = /^\d+ \((.*)\) (.*)$/s.exec(stat) ?? [];
  const fields = rest.split(' ');
  const [state, started] = [fields[0], fields[19]];
  if (program === undefined || started === undefined || state === 'Z') return undefined;
  return { started, program };
}

function otherProcess(pid: number): Process | undefined {
  const [started, program, state] = ['lstart=', 'comm=', 'state='].map((field) =>
    spawnSync('ps', ['-o', field, '-p', String(pid)], { encoding: 'utf8' }).stdout.trim(),
  );
  return started && program && !state?.startsWith('Z') ? { started, program } : undefined;
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
