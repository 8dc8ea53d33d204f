import type { Command } from 'commander';
import { BundleAnswer } from './answers.js';
import { existingDirectory } from './bundle-source.js';
import { allItems } from './pages.js';
import { createScreen } from './screen.js';
import { connect, type ServerOptions, withServer } from './server-command.js';
import type { Surroundings } from './surroundings.js';

/**
 * `countersign policy history`: every bundle that was applied, with who, when and from which commit.
 * A directory may be named as for the other commands; the history is the installation's.
 */
export function addPolicyHistory(policy: Command, surroundings: Surroundings): void {
  const command = policy
    .command('history')
    .description('list the bundles that were applied; * marks the active one')
    .argument('[dir]', 'a bundle, as for the other commands; the history is of all');
  withServer(command).action(async (dir: string | undefined, options: ServerOptions) => {
    const screen = createScreen(surroundings);
    if (dir !== undefined) existingDirectory(surroundings, dir);
    const client = await connect(surroundings, options);
    const bundles = await allItems(client, '/v1/bundles', BundleAnswer);
    if (options.json) return screen.data(bundles);
    if (bundles.length === 0) return screen.say('no bundle was ever applied');
    screen.table(
      ['', 'bundle', 'name', 'applied', 'by', 'commit'],
      bundles.map(({ active, bundle, name, at, author, commit }) => [
        active ? '*' : '',
        String(bundle),
        name ?? '',
        at ?? '',
        author ?? '',
        commit?.slice(0, 12) ?? '',
      ]),
    );
  });
}
