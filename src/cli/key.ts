import type { Command } from 'commander';
import { SYSTEM_ROLES } from '../identity/system-roles.js';
import { AnyAnswer, KeyAnswer, NewKeyAnswer } from './answers.js';
import { gathered } from './option-values.js';
import { allItems } from './pages.js';
import { createScreen } from './screen.js';
import { connect, type ServerOptions, withServer } from './server-command.js';
import type { Surroundings } from './surroundings.js';

interface CreateOptions extends ServerOptions {
  readonly tenant?: string;
  readonly user?: string;
  readonly role?: readonly string[];
  readonly expiresAt?: string;
}

/** `countersign key …`: the credentials of services and people. */
export function addKey(program: Command, surroundings: Surroundings): void {
  const key = program.command('key').description('make, list and revoke API keys');
  addCreate(key, surroundings);
  addList(key, surroundings);
  addRevoke(key, surroundings);
}

function addCreate(key: Command, surroundings: Surroundings): void {
  const command = key
    .command('create')
    .description('make a key; it is shown this once')
    .argument('<name>', 'what it is for')
    .option('--tenant <tenant>', 'bind it to a tenant; without, it reaches all')
    .option('--user <id>', 'the user whose key it is')
    .option('--role <role>', `repeatable: ${SYSTEM_ROLES.join(', ')}`, gathered)
    .option('--expires-at <time>', 'such as 2027-01-01T00:00:00Z');
  withServer(command).action(async (name: string, options: CreateOptions) => {
    const screen = createScreen(surroundings);
    const client = await connect(surroundings, options);
    const { tenant, user, role: roles = [], expiresAt } = options;
    const body = {
      name,
      roles,
      ...(tenant === undefined ? {} : { tenant }),
      ...(user === undefined ? {} : { user }),
      ...(expiresAt === undefined ? {} : { expires_at: expiresAt }),
    };
    const made = await client.call('POST', '/v1/keys', NewKeyAnswer, { body });
    if (options.json) return screen.data(made);
    screen.note(`key ${made.id} for \`${name}\`; keep it now, it is not shown again`);
    screen.say(made.key);
  });
}

function addList(key: Command, surroundings: Surroundings): void {
  const command = key.command('list').description('list the keys');
  withServer(command).action(async (options: ServerOptions) => {
    const screen = createScreen(surroundings);
    const client = await connect(surroundings, options);
    const keys = await allItems(client, '/v1/keys', KeyAnswer);
    if (options.json) return screen.data(keys);
    if (keys.length === 0) return screen.say('no keys; `countersign key create` makes one');
    screen.table(
      ['id', 'name', 'tenant', 'user', 'roles', 'expires'],
      keys.map((k) => [
        k.id,
        k.name ?? '',
        k.tenant ?? 'all',
        k.user ?? '',
        k.roles.join(', '),
        k.expires_at ?? 'never',
      ]),
    );
  });
}

function addRevoke(key: Command, surroundings: Surroundings): void {
  const command = key
    .command('revoke')
    .description('end a key, on every server')
    .argument('<id>', 'the id of the key');
  withServer(command).action(async (id: string, options: ServerOptions) => {
    const screen = createScreen(surroundings);
    const client = await connect(surroundings, options);
    const answer = await client.call('DELETE', `/v1/keys/${encodeURIComponent(id)}`, AnyAnswer);
    if (options.json) return screen.data(answer ?? { id, revoked: true });
    screen.say(`${screen.colours.green('revoked')}: key ${id}`);
  });
}
