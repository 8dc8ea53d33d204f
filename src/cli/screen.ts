import Table from 'cli-table3';
import ora from 'ora';
import pc from 'picocolors';
import type { Output, Surroundings } from './surroundings.js';

type Colours = ReturnType<typeof pc.createColors>;

/** How a command speaks: to people in lines, tables and colours, to machines in JSON. */
export interface Screen {
  /** For standard output. */
  readonly colours: Colours;
  /** For standard error. */
  readonly noteColours: Colours;
  /** Lines on standard output. */
  say(...lines: string[]): void;
  /** Lines on standard error: notes beside the answer. */
  note(...lines: string[]): void;
  /** One JSON document on standard output. */
  data(value: unknown): void;
  /** Columns under a heading, without borders. */
  table(head: readonly string[], rows: readonly (readonly string[])[]): void;
  /** Shows a spinner on standard error while `work` runs, where that is a terminal. */
  busy<Result>(text: string, work: () => Promise<Result>): Promise<Result>;
}

/** A screen over the given streams; colours only on a terminal, and never with `NO_COLOR`. */
export function createScreen({ env, stdout, stderr }: Surroundings): Screen {
  const coloursOf = ({ isTTY = false }: Output) => pc.createColors(isTTY && !env['NO_COLOR']);
  const colours = coloursOf(stdout);
  const say = (...lines: string[]): void => void stdout.write(`${lines.join('\n')}\n`);
  return {
    colours,
    noteColours: coloursOf(stderr),
    say,
    note: (...lines) => void stderr.write(`${lines.join('\n')}\n`),
    data: (value) => say(JSON.stringify(value, undefined, 2)),
    table: (head, rows) => say(...tableLines(head.map(colours.bold), rows)),
    busy: (text, work) => withSpinner(stderr, text, work),
  };
}

const BORDERS = ['top', 'bottom', 'left', 'right', 'mid'].flatMap((side) =>
  ['', '-mid', '-left', '-right'].map((end) => [side + end, '']),
);
const NO_BORDERS: Record<string, string> = { ...Object.fromEntries(BORDERS), middle: '  ' };

function tableLines(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const table = new Table({
    head: [...head],
    chars: NO_BORDERS,
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [], compact: true },
  });
  for (const row of rows) table.push(row.map(printable));
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd());
}

async function withSpinner<Result>(
  stderr: Output,
  text: string,
  work: () => Promise<Result>,
): Promise<Result> {
  // A terminal of no width, as some runners give, would have ora clear lines without end.
  const isTerminal = process.stderr.isTTY && process.stderr.columns > 0;
  if (stderr !== process.stderr || !isTerminal) return work();
  const spinner = ora({ text, stream: process.stderr }).start();
  try {
    return await work();
  } finally {
    spinner.stop();
  }
}

/**
 * The text with control characters made visible: what comes from a server or a file may not move the
 * cursor or change colours. Escape sequences that this program itself puts in are added after it.
 */
export function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what this looks for
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, (character) => {
    const code = character.charCodeAt(0).toString(16).padStart(4, '0');
    return `\\u${code}`;
  });
}
