import { resolve } from 'node:path';
import type { Command } from 'commander';
import { AppliedAnswer } from './answers.js';
import { BundleRefused } from './api-client.js';
import { bundleDirectory, loadBundle, refuseFaults, showWarnings } from './bundle-source.js';
import { appliedLine } from './applied-line.js';
import { commitOf } from './git-commit.js';
import { wholeNumber } from './option-values.js';
import { createScreen, type Screen } from './screen.js';
import { connect, type ServerOptions, withServer } from './server-command.js';
import type { Surroundings } from './surroundings.js';

/** Milliseconds: a large bundle is parsed, tested and stored before the server answers. */
const PATIENCE = 300_000;

interface ApplyOptions extends ServerOptions {
  readonly commit?: string;
  readonly expect?: number;
}

/** `countersign policy apply`: makes a directory the bundle that the server decides by. */
export function addPolicyApply(policy: Command, surroundings: Surroundings): void {
  const command = policy
    .command('apply')
    .description('make a bundle the active one')
    .argument('[dir]', 'the bundle (or COUNTERSIGN_POLICY_DIR; else policies)')
    .option('--commit <sha>', 'the git commit to record; that of the directory unless given')
    .option('--expect <number>', 'refuse unless this bundle is the active one', wholeNumber);
  withServer(command).action(async (dir: string | undefined, options: ApplyOptions) => {
    const screen = createScreen(surroundings);
    const directory = bundleDirectory(surroundings, dir);
    const client = await connect(surroundings, options);
    const local = await loadBundle(surroundings, directory, screen, options);
    const commit = options.commit ?? (await cleanCommit(surroundings, directory, screen));
    const body = {
      files: Object.fromEntries(local.files),
      ...(commit === undefined ? {} : { commit }),
      ...(options.expect === undefined ? {} : { expect_bundle: options.expect }),
    };
    const { status, body: applied } = await screen.busy('applying the bundle', () =>
      client
        .exchange('POST', '/v1/bundles', AppliedAnswer, { body, timeout: PATIENCE })
        .catch((error: unknown) => {
          if (!(error instanceof BundleRefused)) throw error;
          throw refuseFaults(screen, options, error.faults, [], local.pathOf);
        }),
    );
    if (options.json) return screen.data(applied);
    showWarnings(screen, applied.warnings ?? local.warnings, local.pathOf);
    if (status === 200) {
      return screen.say(`nothing to do: this is bundle ${applied.bundle}, active already`);
    }
    screen.say(appliedLine(applied, screen.colours));
  });
}

async function cleanCommit(
  { cwd }: Surroundings,
  directory: string,
  screen: Screen,
): Promise<string | undefined> {
  const found = await commitOf(resolve(cwd, directory));
  if ('commit' in found) return found.commit;
  screen.note(`note: ${found.note}`);
  return undefined;
}
