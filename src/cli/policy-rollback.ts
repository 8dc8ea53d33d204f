import type { Command } from 'commander';
import { AppliedAnswer } from './answers.js';
import { appliedLine } from './applied-line.js';
import { wholeNumber } from './option-values.js';
import { createScreen } from './screen.js';
import { connect, type ServerOptions, withServer } from './server-command.js';
import type { Surroundings } from './surroundings.js';

/** `countersign policy rollback`: makes a former bundle the active one again. */
export function addPolicyRollback(policy: Command, surroundings: Surroundings): void {
  const command = policy
    .command('rollback')
    .description('make a bundle of the history the active one')
    .argument('<number>', 'its number; `policy history` lists them', wholeNumber);
  withServer(command).action(async (number: number, options: ServerOptions) => {
    const screen = createScreen(surroundings);
    const client = await connect(surroundings, options);
    const path = `/v1/bundles/${number}/activate`;
    const applied = await screen.busy('activating the bundle', () =>
      client.call('POST', path, AppliedAnswer, { body: {} }),
    );
    if (options.json) return screen.data(applied);
    screen.say(appliedLine(applied, screen.colours));
  });
}
