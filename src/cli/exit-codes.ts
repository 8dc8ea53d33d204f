/** What the process exits with; scripts may rely on these. */
export const EXIT = {
  done: 0,
  failed: 1,
  /** Wrong usage or settings. */
  usage: 2,
  invalidBundle: 3,
  testsFailed: 4,
  /** The server cannot be reached, or refused. */
  refused: 5,
} as const;

/** Ends a command with an exit code; `message` is shown to the person, unless it was shown already. */
export class CommandFailed extends Error {
  readonly exitCode: number;
  /** What `--json` prints instead of the message. */
  readonly data: unknown;

  constructor(exitCode: number, message = '', data?: unknown) {
    super(message);
    this.name = 'CommandFailed';
    this.exitCode = exitCode;
    this.data = data;
  }
}

/** Wrong usage: the message says what to do instead. */
export function usageError(message: string): CommandFailed {
  return new CommandFailed(EXIT.usage, message);
}
