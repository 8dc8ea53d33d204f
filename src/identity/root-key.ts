import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SettingsError } from '../errors.js';

/** The file in the data directory that holds the root key, for the command line and for people. */
export const ROOT_KEY_FILE = 'root.key';

const MIN_LENGTH = 32;

/**
 * The root key in the data directory, made at the first call: 43 random characters and a newline, in
 * a file that only its owner can read. Throws `SettingsError` where the file holds no usable key.
 */
export async function ensureRootKeyFile(dataDir: string): Promise<string> {
  const file = join(dataDir, ROOT_KEY_FILE);
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const fresh = randomBytes(32).toString('base64url');
  try {
    // `wx` never writes over a key that is there, however many servers start at once.
    await writeFile(file, `${fresh}\n`, { flag: 'wx', mode: 0o600 });
    return fresh;
  } catch (error) {
    if (!isThere(error)) throw error;
  }
  await chmod(file, 0o600);
  const key = (await readFile(file, 'utf8')).trim();
  if (key.length >= MIN_LENGTH && !/\p{Cc}/u.test(key)) return key;
  throw new SettingsError([
    `\`${file}\` must hold one key of ${MIN_LENGTH} characters or more; remove it to have a new one made`,
  ]);
}

function isThere(error: unknown): boolean {
  return error instanceof Error && Reflect.get(error, 'code') === 'EEXIST';
}
