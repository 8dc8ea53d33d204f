import type { Command } from 'commander';
import { type ApiClient, createApiClient } from './api-client.js';
import { findServer } from './server-address.js';
import type { Surroundings } from './surroundings.js';

/** Options of every command that prints. */
export interface PrintOptions {
  readonly json?: boolean;
}

/** Options of every command that speaks to a server. */
export interface ServerOptions extends PrintOptions {
  readonly server?: string;
  readonly key?: string;
}

/** Adds `--json`. */
export function withJson(command: Command): Command {
  return command.option('--json', 'print JSON, for machines');
}

/** Adds `--server`, `--key` and `--json`. */
export function withServer(command: Command): Command {
  return withJson(
    command
      .option('--server <url>', 'the server (or COUNTERSIGN_URL; else that of the data directory)')
      .option('--key <key>', 'the API key (or COUNTERSIGN_KEY; else the root key found there)'),
  );
}

/** A client for the server that the options and the environment name. */
export async function connect(
  surroundings: Surroundings,
  options: ServerOptions,
): Promise<ApiClient> {
  return createApiClient(await findServer(surroundings, options), surroundings.fetch);
}
