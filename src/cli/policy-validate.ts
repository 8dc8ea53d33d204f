import type { Command } from 'commander';
import { runBundleTests } from '../decision/bundle-tests.js';
import { bundleDirectory, loadBundle, refuseFaults, showWarnings } from './bundle-source.js';
import { counted } from './counted.js';
import { createScreen } from './screen.js';
import { type PrintOptions, withJson } from './server-command.js';
import type { Surroundings } from './surroundings.js';

/** `countersign policy validate`: what applying the bundle would say, without a server. */
export function addPolicyValidate(policy: Command, surroundings: Surroundings): void {
  const command = policy
    .command('validate')
    .description('check a bundle and run its tests; needs no server')
    .argument('[dir]', 'the bundle (or COUNTERSIGN_POLICY_DIR; else policies)');
  withJson(command).action(async (dir: string | undefined, options: PrintOptions) => {
    const screen = createScreen(surroundings);
    const directory = bundleDirectory(surroundings, dir);
    const { bundle, warnings, pathOf } = await loadBundle(surroundings, directory, screen, options);
    const failed = await screen.busy('running the tests', () => runBundleTests(bundle));
    if (failed.length > 0) throw refuseFaults(screen, options, failed, warnings, pathOf);
    if (options.json) {
      const placed = warnings.map((warning) => ({ ...warning, file: pathOf(warning.file) }));
      screen.data({ valid: true, errors: [], warnings: placed });
      return;
    }
    showWarnings(screen, warnings, pathOf);
    const parts = [
      counted(bundle.rules.length, 'rule'),
      counted(bundle.governance.length, 'governance rule'),
      counted(bundle.tests.length, 'test'),
    ];
    screen.say(
      `${screen.colours.green('valid')}: \`${bundle.name}\` in ${directory}, ${parts.join(', ')}`,
    );
  });
}
