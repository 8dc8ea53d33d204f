import type { Command } from 'commander';
import { AppliedAnswer, BundleAnswer } from './answers.js';
import type { ApiClient } from './api-client.js';
import { appliedLine } from './applied-line.js';
import { existingDirectory } from './bundle-source.js';
import { CommandFailed, EXIT, usageError } from './exit-codes.js';
import { allItems } from './pages.js';
import { createScreen } from './screen.js';
import { connect, type ServerOptions, withServer } from './server-command.js';
import type { Surroundings } from './surroundings.js';

/** The bundle to go back to, and where that was not said, the one that it comes after. */
interface Target {
  readonly bundle: number;
  readonly from?: number;
}

/**
 * `countersign policy rollback`: makes a former bundle the active one again, the one that was active
 * before unless a number says which.
 */
export function addPolicyRollback(policy: Command, surroundings: Surroundings): void {
  const command = policy
    .command('rollback')
    .description('make a bundle of the history the active one')
    .usage('[options] [dir] [number]')
    .argument('[dir]', 'a bundle, as for the other commands; the history is of all')
    .argument('[number]', 'its number, as in `policy history`; else the one active before');
  withServer(command).action(
    async (first: string | undefined, second: string | undefined, options: ServerOptions) => {
      const screen = createScreen(surroundings);
      const number = numberOf(surroundings, first, second);
      const client = await connect(surroundings, options);
      const { bundle, from }: Target =
        number === undefined ? await formerBundle(client) : { bundle: number };
      const applied = await screen.busy('activating the bundle', () =>
        client.call('POST', `/v1/bundles/${bundle}/activate`, AppliedAnswer, { body: {} }),
      );
      if (options.json) return screen.data(applied);
      if (from !== undefined) {
        screen.say(`back from bundle ${from} to bundle ${bundle}, which was active before it`);
      }
      screen.say(appliedLine(applied, screen.colours));
    },
  );
}

/** Both may be left out: what is no number names the directory. */
function numberOf(
  surroundings: Surroundings,
  first: string | undefined,
  second: string | undefined,
): number | undefined {
  const isNumber = second === undefined && first !== undefined && /^\d+$/.test(first);
  const [directory, number] = isNumber ? [undefined, first] : [first, second];
  if (number !== undefined && !/^\d{1,15}$/.test(number)) {
    throw usageError(`\`${number}\` is no number of a bundle; \`policy history\` lists them`);
  }
  if (directory !== undefined) existingDirectory(surroundings, directory);
  return number === undefined ? undefined : Number(number);
}

async function formerBundle(client: ApiClient): Promise<Target> {
  const bundles = await allItems(client, '/v1/bundles', BundleAnswer);
  const active = bundles.find((bundle) => bundle.active);
  if (active === undefined) throw new CommandFailed(EXIT.failed, 'no bundle is active');
  if (active.previous !== undefined) return { bundle: active.previous, from: active.bundle };
  const message = `no bundle was active before bundle ${active.bundle}; name one by its number`;
  throw new CommandFailed(EXIT.failed, message);
}
