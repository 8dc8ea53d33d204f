import { Command, CommanderError } from 'commander';
import { SettingsError } from '../errors.js';
import { addApproval } from './approval.js';
import { addCheck } from './check.js';
import { CommandFailed, EXIT } from './exit-codes.js';
import { addKey } from './key.js';
import { addMigrate } from './migrate.js';
import { addPolicyApply } from './policy-apply.js';
import { addPolicyDiff } from './policy-diff.js';
import { addPolicyHistory } from './policy-history.js';
import { addPolicyRollback } from './policy-rollback.js';
import { addPolicyTest } from './policy-test.js';
import { addPolicyValidate } from './policy-validate.js';
import { createScreen } from './screen.js';
import { addServe } from './serve.js';
import type { Surroundings } from './surroundings.js';
import { versionOf } from './version.js';

/** Runs one command line (without `node` and the script) to its end; gives the exit code. */
export async function runCommandLine(
  argv: readonly string[],
  surroundings: Surroundings,
): Promise<number> {
  try {
    await buildProgram(surroundings).parseAsync([...argv], { from: 'user' });
    return EXIT.done;
  } catch (error) {
    return showError(error, surroundings, argv.includes('--json'));
  }
}

function buildProgram(surroundings: Surroundings): Command {
  const program = new Command('countersign')
    .description('Casbin decisions, governance rules, human approvals, and evidence')
    .version(versionOf())
    .showHelpAfterError('(add --help for the usage)')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void surroundings.stdout.write(text),
      writeErr: (text) => void surroundings.stderr.write(text),
    });
  addServe(program, surroundings);
  addCheck(program, surroundings);
  const policy = program.command('policy').description('work on bundles of policy');
  addPolicyValidate(policy, surroundings);
  addPolicyTest(policy, surroundings);
  addPolicyDiff(policy, surroundings);
  addPolicyApply(policy, surroundings);
  addPolicyRollback(policy, surroundings);
  addPolicyHistory(policy, surroundings);
  addApproval(program, surroundings);
  addKey(program, surroundings);
  addMigrate(program, surroundings);
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

/** An error of several, such as every address of a host that refused, has no message of its own. */
function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') {
    return [...new Set(error.errors.map(messageOf))].join('; ');
  }
  return error instanceof Error ? error.message : String(error);
}
