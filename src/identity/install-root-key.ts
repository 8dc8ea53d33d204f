import { createHash } from 'node:crypto';
import { writeEvents } from '../audit/recorder.js';
import { SettingsError } from '../errors.js';
import { commitChange } from '../platform/change-log.js';
import { type Clock, systemClock } from '../platform/clock.js';
import type { Database } from '../platform/database.js';
import { keyIdOf, replaceRootKey, ROOT_KEY_ID } from './key-store.js';

const ROOT_KEY = {
  id: ROOT_KEY_ID,
  name: 'the root key',
  tenant: null,
  user_id: null,
  person: `key:${ROOT_KEY_ID}`,
  roles: ['platform_admin'],
  created_by: ROOT_KEY_ID,
  expires_at: null,
};

/**
 * Makes `rootKey` the root key in the place of the former one; nothing changes where it is that
 * already. Throws `SettingsError` where it is an API key, live or revoked.
 */
export async function installRootKey(
  database: Database,
  rootKey: string,
  clock: Clock = systemClock,
): Promise<void> {
  const hash = createHash('sha256').update(rootKey, 'utf8').digest();
  await commitChange<undefined>(database, async (transaction, revision) => {
    const owner = await keyIdOf(transaction, hash);
    if (owner === ROOT_KEY_ID) return { unchanged: undefined };
    if (owner !== undefined) {
      throw new SettingsError([
        `\`COUNTERSIGN_ROOT_KEY\` is the API key \`${owner}\`; choose another`,
      ]);
    }
    await replaceRootKey(transaction, { ...ROOT_KEY, hash });
    const change = { kind: 'key.created', actor: ROOT_KEY_ID, detail: { key: ROOT_KEY_ID } };
    await writeEvents(transaction, clock.now(), { ...change, resource: 'key:root', revision });
    return { change, result: undefined };
  });
}
