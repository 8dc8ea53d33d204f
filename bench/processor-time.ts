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

/** Processor time used so far, in seconds; `NaN` on a system without `/proc`. */
export interface ProcessorTime {
  /** By a process and those of its descendants that run the same program: its workers. */
  readonly own: number;
  /** By its other descendants: a server's embedded Postgres. */
  readonly others: number;
}

/** What a process and its descendants have used. */
export function processorTime(pid: number): ProcessorTime {
  const all = familyOf(pid);
  const seconds = (processes: readonly Process[]): number =>
    all.length === 0 ? Number.NaN : processes.reduce((sum, { ticks }) => sum + ticks, 0) / TICKS;
  return {
    own: seconds(all.filter(({ name }) => name === all[0]?.name)),
    others: seconds(all.filter(({ name }) => name !== all[0]?.name)),
  };
}

/** How many processes run the program of this one, below it and with it. */
export function workersOf(pid: number): number {
  const all = familyOf(pid);
  return all.filter(({ name }) => name === all[0]?.name).length;
}

/** A process, first, and its descendants. */
function familyOf(pid: number): readonly Process[] {
  const own = readProcess(pid);
  if (own === undefined) return [];
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => readProcess(Number(name)))
    .filter((found) => found !== undefined);
  const family = [own];
  // Grows while it is gone through: children of children are found too.
  for (const member of family) {
    family.push(...all.filter(({ parent }) => parent === member.pid));
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
