import { createAuditRecorder } from '../../src/audit/recorder.js';
import type { Caller } from '../../src/identity/caller.js';
import { createKeyService, type KeyService } from '../../src/identity/key-service.js';
import { type Clock, systemClock } from '../../src/platform/clock.js';
import type { Database } from '../../src/platform/database.js';

/** Whoever calls with the root key. */
export const ROOT: Caller = {
  id: 'root',
  tenant: undefined,
  user: undefined,
  person: 'key:root',
  systemRoles: ['platform_admin'],
};

/** A service that makes and revokes keys, and tells nobody of it but the change log. */
export function keyServiceOn(database: Database, clock: Clock = systemClock): KeyService {
  const log = { warn: () => {}, error: () => {} };
  return createKeyService({
    database,
    audit: createAuditRecorder({ database, mode: 'buffered', log, clock }),
    clock,
    current: {
      snapshot: { engine: { isRole: () => false }, settings: { rolesAsSubjects: false } },
      catchUp: async () => {},
    },
  });
}
