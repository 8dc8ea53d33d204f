import { createInterface } from 'node:readline';
import type { ServerProcess } from './server-process.js';

/** A line of a server's log, as far as tests read it. */
export interface LogLine {
  readonly pid: number;
  readonly msg: string;
  readonly route?: string;
  readonly reason?: string;
}

/** What a server process logs while it runs. */
export interface ServerLog {
  readonly lines: readonly LogLine[];
  /** Resolves once so many lines in all have this message, with their processes. */
  until(message: string, count: number): Promise<number[]>;
}

/** Follows the log of a server from its start. */
export function followLog({ child }: ServerProcess): ServerLog {
  const lines: LogLine[] = [];
  const waiting = new Set<() => void>();
  if (child.stderr === null) throw new TypeError('the log is not piped');
  createInterface({ input: child.stderr }).on('line', (line) => {
    if (!line.startsWith('{')) return;
    lines.push(JSON.parse(line) as LogLine);
    for (const look of waiting) look();
  });
  return {
    lines,
    until: (message, count) =>
      new Promise((resolve) => {
        const look = (): void => {
          const found = lines.filter(({ msg }) => msg === message);
          if (found.length < count) return;
          waiting.delete(look);
          resolve(found.map(({ pid }) => pid));
        };
        waiting.add(look);
        look();
      }),
  };
}
