import type { AuditRecorder } from '../audit/recorder.js';
import type { Change } from '../platform/change-log.js';
import type { DatabaseTransaction } from '../platform/database.js';
import { actorOf, type Caller } from './caller.js';
import type { KeyDetails } from './key-store.js';

/** Where a change came from, for the audit. */
export interface KeyChangeOrigin {
  readonly requestId?: string;
  readonly ip?: string | undefined;
}

/** What happened to a key, by whom. */
export interface KeyChange {
  readonly kind: 'key.created' | 'key.revoked';
  readonly revision: number;
  readonly caller: Caller;
  readonly origin: KeyChangeOrigin;
}

/** Writes the audit event of a change of a key, and gives what the change log says of it. */
export async function recordKeyChange(
  audit: Pick<AuditRecorder, 'write'>,
  transaction: DatabaseTransaction,
  key: KeyDetails,
  { kind, revision, caller, origin }: KeyChange,
): Promise<Change> {
  const tenant = key.tenant === null ? {} : { tenant: key.tenant };
  await audit.write(transaction, {
    kind,
    actor: actorOf(caller),
    ...tenant,
    resource: `key:${key.id}`,
    revision,
    ...(origin.requestId === undefined ? {} : { requestId: origin.requestId }),
    ...(origin.ip === undefined ? {} : { ip: origin.ip }),
    detail: {
      key: key.id,
      name: key.name,
      roles: key.roles,
      person: key.person,
      by: caller.person,
      caller: caller.id,
      user: key.user_id,
      expires_at: key.expires_at?.toISOString() ?? null,
    },
  });
  return { kind, actor: actorOf(caller), ...tenant, detail: { key: key.id } };
}
