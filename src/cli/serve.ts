import type { Command } from 'commander';
import { CommandFailed } from './exit-codes.js';
import type { Surroundings } from './surroundings.js';

/** `countersign serve`: the server, until it is told to stop. */
export function addServe(program: Command, { env, cwd, serve }: Surroundings): void {
  program
    .command('serve')
    .description('run the server')
    .option('--watch', 'apply the policy directory again on every change of it')
    .action(async ({ watch = false }: { watch?: boolean }) => {
      const exitCode = await serve({ env, cwd, watch });
      if (exitCode !== 0) throw new CommandFailed(exitCode);
    });
}
