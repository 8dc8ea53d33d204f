import { execFileSync } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { arch, cpus, loadavg, platform, release, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { HERE } from './checkout.js';
import type { Spread } from './measure.js';

/** A bound that a figure's median should keep. */
export type Goal = { readonly atMost: number } | { readonly atLeast: number };

/** How a figure is written. */
export type Unit = 'µs' | 'ms' | 's' | 'B' | 'times' | '%' | '/s';

/** One row of a table. */
export interface Figure {
  /** What was measured, with its peer where it is a ratio. */
  readonly what: string;
  readonly value: Spread;
  readonly unit: Unit;
  readonly goal?: Goal;
}

/** What a suite measured. */
export interface SuiteResult {
  readonly suite: string;
  readonly title: string;
  readonly figures: readonly Figure[];
  /** What a reader must know to trust the figures, or why there are none. */
  readonly notes: readonly string[];
}

/** What the figures were taken on. */
export interface Machine {
  readonly at: string;
  readonly commit: string;
  /** Processes that ran or wanted to, over 1, 5 and 15 minutes before: near 0, the machine was quiet. */
  readonly load: readonly number[];
  readonly node: string;
  readonly system: string;
  readonly processor: string;
  readonly memory: string;
}

/** What a run writes. */
export interface Report {
  readonly machine: Machine;
  readonly suites: readonly SuiteResult[];
}

/** This machine as it is now, and the commit that is checked out. */
export function describeMachine(checkout = HERE): Machine {
  const all = cpus();
  return {
    at: new Date().toISOString(),
    commit: execFileSync('git', ['describe', '--always', '--dirty'], {
      cwd: checkout,
      encoding: 'utf8',
    }).trim(),
    load: loadavg().map((load) => Number(load.toFixed(1))),
    node: process.version,
    system: `${platform()} ${release()} ${arch()}`,
    processor: `${all.length} × ${all[0]?.model.trim() ?? 'unknown'}`,
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
  };
}

/** Where the report of a run is written. */
export function reportPath({ at }: Machine): string {
  return join(HERE, 'bench', 'results', `${at.replaceAll(':', '-')}.json`);
}

/** Writes the report of a run, over what it wrote so far. */
export async function writeReport(report: Report): Promise<void> {
  const path = reportPath(report.machine);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `${JSON.stringify(report, null, 2)}\n`);
}

/** Reads what `writeReport` wrote. */
export async function readReport(path: string): Promise<Report> {
  return JSON.parse(await readFile(path, 'utf8')) as Report;
}

/** The figures of a suite as Markdown tables, those with a goal first, and its notes. */
export function suiteText({ figures, notes }: SuiteResult): string {
  const rows = figures.map(({ what, value, unit, goal }) => [
    what,
    written(value.median, unit),
    `${written(value.min, unit)} – ${written(value.max, unit)}`,
    ...(goal === undefined
      ? []
      : [goalText(goal, unit), isMet(value, goal) ? 'met' : '**not met**']),
  ]);
  const withGoal = rows.filter((row) => row.length > 3);
  const without = rows.filter((row) => row.length === 3);
  return [
    table(['what', 'median', 'min – max', 'goal', ''], withGoal),
    table(['measured along', 'median', 'min – max'], without),
    notes.map((note) => `- ${note}`).join('\n'),
  ]
    .filter((text) => text !== '')
    .join('\n\n');
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return '';
  const widths = head.map((_, column) =>
    Math.max(3, ...[head, ...rows].map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  const rule = line(widths.map((width) => '-'.repeat(width)));
  return [line(head), rule, ...rows.map(line)].join('\n');
}

/** Whether the median keeps the bound. What could not be measured does not. */
export function isMet({ median }: Spread, goal: Goal): boolean {
  return 'atMost' in goal ? median <= goal.atMost : median >= goal.atLeast;
}

function goalText(goal: Goal, unit: Unit): string {
  return 'atMost' in goal ? `≤ ${written(goal.atMost, unit)}` : `≥ ${written(goal.atLeast, unit)}`;
}

function written(value: number, unit: Unit): string {
  if (Number.isNaN(value)) return 'unknown';
  if (unit === '%') return `${(value * 100).toFixed(Math.abs(value) < 0.1 ? 1 : 0)} %`;
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  const number = value.toLocaleString('en', { maximumFractionDigits: digits });
  return unit === '/s' ? `${number}/s` : `${number} ${unit}`;
}

/** The machine in one line, to stand under a table. */
export function machineText({
  at,
  commit,
  node,
  system,
  processor,
  memory,
  load,
}: Machine): string {
  const when = `${at.slice(0, 16).replace('T', ' ')} UTC`;
  const quiet = `load before ${load.join(', ')}`;
  return `Taken ${when} at \`${commit}\`: Node ${node}, ${system}, ${processor}, ${memory}, ${quiet}.`;
}
