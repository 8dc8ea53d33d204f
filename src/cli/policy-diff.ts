import type { Command } from 'commander';
import { compileBundle } from '../policy/compile-bundle.js';
import { type BundleDiff, type DiffedBundle, diffBundles } from '../policy/diff.js';
import { modelPath } from '../policy/locate-model.js';
import { loadShippedModels } from '../policy/shipped-models.js';
import { BundleAnswer, BundleFilesAnswer } from './answers.js';
import type { ApiClient } from './api-client.js';
import { bundleDirectory, loadBundle } from './bundle-source.js';
import { diffLines } from './diff-lines.js';
import { CommandFailed, EXIT } from './exit-codes.js';
import { allItems } from './pages.js';
import { createScreen } from './screen.js';
import { connect, type ServerOptions, withServer } from './server-command.js';
import type { Surroundings } from './surroundings.js';

interface DiffOptions extends ServerOptions {
  readonly against?: string;
}

/** A bundle to compare with, and its name for people; no `content` where nothing was ever applied. */
interface Base {
  readonly label: string;
  readonly content: DiffedBundle | undefined;
}

/** `countersign policy diff`: what applying a directory would change, by tenant. */
export function addPolicyDiff(policy: Command, surroundings: Surroundings): void {
  const command = policy
    .command('diff')
    .description('show what applying a bundle would change, by tenant')
    .argument('[dir]', 'the bundle (or COUNTERSIGN_POLICY_DIR; else policies)')
    .option('--against <dir>', 'compare with this directory; needs no server');
  withServer(command).action(async (dir: string | undefined, options: DiffOptions) => {
    const screen = createScreen(surroundings);
    const directory = bundleDirectory(surroundings, dir);
    const after = await loadBundle(surroundings, directory, screen, options);
    const before: Base =
      options.against === undefined
        ? await activeBundle(await connect(surroundings, options))
        : {
            label: options.against,
            content: await loadBundle(surroundings, options.against, screen, options),
          };
    const diff: BundleDiff = diffBundles(before.content, after);
    if (options.json) return screen.data({ against: before.label, ...diff });
    screen.say(...diffLines(diff, before.label, directory, screen.colours));
  });
}

async function activeBundle(client: ApiClient): Promise<Base> {
  const bundles = await allItems(client, '/v1/bundles', BundleAnswer);
  const active = bundles.find((bundle) => bundle.active);
  if (active === undefined) return { label: 'nothing', content: undefined };
  const found = await client.call('GET', `/v1/bundles/${active.bundle}`, BundleFilesAnswer);
  const files = new Map(Object.entries(found.files)).set(modelPath(found.model), found.model_text);
  const compilation = compileBundle(files, { shippedModels: await loadShippedModels() });
  if ('faults' in compilation) {
    const message = `this version cannot read bundle ${active.bundle}, which the server has active`;
    throw new CommandFailed(EXIT.failed, message);
  }
  return { label: `bundle ${active.bundle}`, content: { files, bundle: compilation.bundle } };
}
