import type { Command } from 'commander';
import { runBundleTests } from '../decision/bundle-tests.js';
import type { MatcherPart } from '../engine/engine.js';
import { bundleDirectory, loadBundle, refuseFaults, showWarnings } from './bundle-source.js';
import { counted } from './counted.js';
import { createScreen, printable } from './screen.js';
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
    const trial = await screen.busy('running the tests', () => runBundleTests(bundle));
    const { faults, parts: matcherParts } = trial;
    if (faults.length > 0) throw refuseFaults(screen, options, faults, warnings, pathOf);
    if (options.json) {
      const placed = warnings.map((warning) => ({ ...warning, file: pathOf(warning.file) }));
      screen.data({ valid: true, errors: [], warnings: placed, matcher_parts: matcherParts });
      return;
    }
    showWarnings(screen, warnings, pathOf);
    const contents = [
      counted(bundle.rules.length, 'rule'),
      counted(bundle.governance.length, 'governance rule'),
      counted(bundle.tests.length, 'test'),
    ];
    screen.say(
      `${screen.colours.green('valid')}: \`${bundle.name}\` in ${directory}, ${contents.join(', ')}`,
      ...matcherParts.map(partLine),
    );
  });
}

/** How the rules of a part of the matcher are found: what decides how long a check takes. */
function partLine({ text, handling }: MatcherPart): string {
  return `  ${handling.padEnd('residual'.length)}  ${printable(text)}`;
}
