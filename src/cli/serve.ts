import type { Command } from 'commander';
import { InvalidBundle } from '../errors.js';
import { loadConfig } from '../platform/config.js';
import { pathsBelow, refuseFaults } from './bundle-source.js';
import { CommandFailed } from './exit-codes.js';
import { startFailure } from './failure.js';
import { createScreen } from './screen.js';
import type { Surroundings } from './surroundings.js';

/** `countersign serve`: the server, until it is told to stop. */
export function addServe(program: Command, surroundings: Surroundings): void {
  program
    .command('serve')
    .description('run the server')
    .option('--watch', 'apply the policy directory again on every change of it')
    .action(async ({ watch = false }: { watch?: boolean }) => {
      const { env, cwd, serve } = surroundings;
      const exitCode = await serve({ env, cwd, watch }).catch((error: unknown) => {
        throw error instanceof InvalidBundle ? refused(error, surroundings) : startFailure(error);
      });
      if (exitCode !== 0) throw new CommandFailed(exitCode);
    });
}

/** The bundle that a first start applies has faults. */
function refused({ faults }: InvalidBundle, surroundings: Surroundings): CommandFailed {
  const { env, cwd } = surroundings;
  const pathOf = pathsBelow(cwd, loadConfig(env, cwd).policyDir);
  return refuseFaults(createScreen(surroundings), {}, faults, [], pathOf);
}
