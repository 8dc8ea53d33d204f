import { readdirSync, readFileSync } from 'node:fs';

/** Ticks a second of the times in `/proc`; the same on every Linux. */
const TICKS = 100;

/** A process as `/proc` shows it. */
interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly name: string;
  /** Processor time used, in ticks. */
  readonly ticks: number;
}

/**
 * Processor time that a process and those of its descendants that run the same program have used, in
 * seconds: workers count, the embedded Postgres does not. `NaN` on a system without `/proc`.
 */
export function processorSeconds(pid: number): number {
  const family = processesOf(pid);
  if (family.length === 0) return Number.NaN;
  return family.reduce((sum, { ticks }) => sum + ticks, 0) / TICKS;
}

/** A process, and those of its descendants that run the same program. */
export function processesOf(pid: number): readonly Process[] {
  const own = readProcess(pid);
  if (own === undefined) return [];
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => readProcess(Number(name)))
    .filter((found) => found !== undefined);
  const family = [own];
  // Grows while it is gone through: children of children are found too.
  for (const member of family) {
    family.push(...all.filter(({ parent, name }) => parent === member.pid && name === own.name));
  }
  return family;
}

function readProcess(pid: number): Process | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    // Not there, or no longer.
    return undefined;
  }
  // The name stands in brackets and may hold anything.
  const end = text.lastIndexOf(')');
  const fields = text.slice(end + 2).split(' ');
  return {
    pid,
    parent: Number(fields[1]),
    name: text.slice(text.indexOf('(') + 1, end),
    ticks: Number(fields[11]) + Number(fields[12]),
  };
}
