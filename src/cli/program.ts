import { Command, CommanderError } from 'commander';
import { SettingsError } from '../errors.js';
import { CommandFailed, EXIT } from './exit-codes.js';
import { messageOf } from './failure.js';
import { createScreen } from './screen.js';
import type { Surroundings } from './surroundings.js';
import { versionOf } from './version.js';

type AddCommand = (program: Command, surroundings: Surroundings) => void;

/** Loaded when asked for: `check` need not wait for all that it takes to compile a bundle. */
const COMMANDS: Readonly<Record<string, () => Promise<AddCommand>>> = {
  serve: async () => (await import('./serve.js')).addServe,
  check: async () => (await import('./check.js')).addCheck,
  policy: async () => (await import('./policy.js')).addPolicy,
  approval: async () => (await import('./approval.js')).addApproval,
  key: async () => (await import('./key.js')).addKey,
  migrate: async () => (await import('./migrate.js')).addMigrate,
};

/** Runs one command line (without `node` and the script) to its end; gives the exit code. */
export async function runCommandLine(
  argv: readonly string[],
  surroundings: Surroundings,
): Promise<number> {
  try {
    const program = await buildProgram(surroundings, argv[0]);
    await program.parseAsync([...argv], { from: 'user' });
    return EXIT.done;
  } catch (error) {
    return showError(error, surroundings, argv.includes('--json'));
  }
}

/** The program with the command that is asked for; with all of them where none is. */
async function buildProgram(surroundings: Surroundings, asked = ''): Promise<Command> {
  const program = new Command('countersign')
    .description('Casbin decisions, governance rules, human approvals, and evidence')
    .version(versionOf())
    .showHelpAfterError('(add --help for the usage)')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void surroundings.stdout.write(text),
      writeErr: (text) => void surroundings.stderr.write(text),
    });
  const names = Object.hasOwn(COMMANDS, asked) ? [asked] : Object.keys(COMMANDS);
  for (const name of names) (await COMMANDS[name]?.())?.(program, surroundings);
  return program;
}

/** Tells a person what went wrong, never with a stack; gives the exit code. */
function showError(error: unknown, surroundings: Surroundings, json: boolean): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  const screen = createScreen(surroundings);
  const message = messageOf(error);
  if (json && error instanceof CommandFailed && error.data !== undefined) screen.data(error.data);
  if (message !== '') screen.note(`error: ${message}`);
  if (error instanceof CommandFailed) return error.exitCode;
  return error instanceof SettingsError ? EXIT.usage : EXIT.failed;
}
