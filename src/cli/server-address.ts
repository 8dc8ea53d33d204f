import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadConfig } from '../platform/config.js';
import { CommandFailed, EXIT, usageError } from './exit-codes.js';
import type { Surroundings } from './surroundings.js';

/** Where a command's server is, and the credential to show it. */
export interface ServerAddress {
  /** Without a slash at its end. */
  readonly url: string;
  readonly key: string;
  /** The process that `server.json` names, where the address came from there. */
  readonly pid: number | undefined;
}

/** What the person gave on the command line. */
export interface AddressOptions {
  readonly server?: string;
  readonly key?: string;
}

/**
 * The server that a command is for: what the command line says, else the environment, else the
 * embedded server of the data directory. The root key of the data directory goes to that server and
 * to no other.
 */
export async function findServer(
  { env, cwd }: Pick<Surroundings, 'env' | 'cwd'>,
  options: AddressOptions,
): Promise<ServerAddress> {
  const given = options.server ?? (env['COUNTERSIGN_URL'] || undefined);
  const key = options.key ?? (env['COUNTERSIGN_KEY'] || undefined);
  if (given !== undefined) {
    if (key === undefined) {
      throw usageError('no key for that server; pass `--key KEY` or set `COUNTERSIGN_KEY`');
    }
    return { url: checkedUrl(given), key: checkedKey(key), pid: undefined };
  }
  const { dataDir, rootKey } = loadConfig(env, cwd);
  const { address, pid } = await readServerFile(dataDir);
  return {
    url: checkedUrl(address),
    key: checkedKey(key ?? rootKey ?? (await readRootKey(dataDir))),
    pid,
  };
}

function checkedUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url?.host || !/^https?:$/.test(url.protocol) || url.username || url.search || url.hash) {
    throw usageError('the address of the server is not valid; write it as `http://HOST:PORT`');
  }
  return url.href.replace(/\/+$/, '');
}

/** Refused here, since the error of `fetch` for an unsendable header would quote the key. */
function checkedKey(key: string): string {
  if (!/^[\x21-\x7e]+$/.test(key)) {
    throw usageError('the key holds characters that no key has; copy it again');
  }
  return key;
}

async function readServerFile(dataDir: string): Promise<{ address: string; pid: number }> {
  const file = join(dataDir, 'server.json');
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) {
    throw new CommandFailed(
      EXIT.refused,
      `no server runs on \`${dataDir}\`; start one with \`countersign serve\`, or say which one with \`--server URL\` and \`--key KEY\``,
    );
  }
  const content = parsedOrUndefined(text);
  if (typeof content !== 'object' || content === null || !('address' in content)) {
    throw new CommandFailed(EXIT.failed, `\`${file}\` is damaged; start the server again`);
  }
  const { address } = content;
  const pid = 'pid' in content ? content.pid : undefined;
  if (typeof address !== 'string' || typeof pid !== 'number') {
    throw new CommandFailed(EXIT.failed, `\`${file}\` is damaged; start the server again`);
  }
  return { address, pid };
}

function parsedOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function readRootKey(dataDir: string): Promise<string> {
  const file = join(dataDir, 'root.key');
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) {
    throw usageError(`cannot read \`${file}\`; pass \`--key KEY\` or set \`COUNTERSIGN_KEY\``);
  }
  return text.trim();
}
