import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Whether a process with this id runs, whoever it belongs to. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/**
 * When a process started, in whatever form the system tells it. Ids are given out again, above all
 * in containers; id and start together are one process. `undefined` where none runs.
 */
export function startOf(pid: number): string | undefined {
  return process.platform === 'linux' ? linuxStat(pid)[19] : ps(pid, 'lstart=');
}

/** The name of the program that a process runs: `postgres`; empty where none runs. */
export function programOf(pid: number): string {
  return process.platform === 'linux' ? linuxProgram(pid) : (ps(pid, 'comm=') ?? '');
}

/** The fields of `/proc/PID/stat` from the third on: the second may hold spaces. */
function linuxStat(pid: number): string[] {
  const stat = readProc(pid, 'stat');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

function linuxProgram(pid: number): string {
  return readProc(pid, 'comm').trim();
}

function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}

function ps(pid: number, field: string): string | undefined {
  const { stdout } = spawnSync('ps', ['-o', field, '-p', String(pid)], { encoding: 'utf8' });
  return stdout?.trim() || undefined;
}
