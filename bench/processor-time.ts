import { readdirSync, readFileSync } from 'node:fs';

/** Ticks a second of the times in `/proc`; the same on every Linux. */
const TICKS = 100;

/**
 * Processor time that a process and those of its descendants that run Node have used, in seconds:
 * workers count, the embedded Postgres does not. `NaN` on a system without `/proc`.
 */
export function processorSeconds(pid: number): number {
  const own = readStat(pid);
  if (own === undefined) return Number.NaN;
  const all = [...readdirSync('/proc')]
    .filter((name) => /^\d+$/.test(name))
    .map((name) => readStat(Number(name)))
    .filter((stat) => stat !== undefined);
  const family = [own];
  for (const member of family) {
    family.push(...all.filter(({ parent, name }) => parent === member.pid && name === own.name));
  }
  return family.reduce((sum, { ticks }) => sum + ticks, 0) / TICKS;
}

function readStat(pid: number) {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    // Not there, or no longer.
    return undefined;
  }
  // The name stands in brackets and may hold anything.
  const end = text.lastIndexOf(')');
  const name = text.slice(text.indexOf('(') + 1, end);
  const fields = text.slice(end + 2).split(' ');
  const ticks = Number(fields[11]) + Number(fields[12]);
  return { pid, name, parent: Number(fields[1]), ticks };
}
