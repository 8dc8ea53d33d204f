import type { AuditRecorder } from '../audit/recorder.js';
import { handOutRevision, latestRevision } from '../platform/change-log.js';
import type { Database, DatabaseTransaction } from '../platform/database.js';
import type { ChangeQueue } from './change-queue.js';
import { activeBundle, type BundleSummary } from './bundle-store.js';
import type { CompiledBundle } from './compiled-bundle.js';
import { installRules } from './install-rules.js';
import type { RuleCounts } from './bundle-rule-store.js';
import { lockRules } from './rule-lock.js';
import { tenantOf } from './rule-tenant.js';
import { stageRules } from './stage-rules.js';

/** Another bundle is to become the active one. */
export interface BundleChange {
  readonly kind: 'bundle.applied' | 'bundle.activated';
  readonly compiled: CompiledBundle;
  readonly actor: string;
  readonly commit: string | undefined;
  readonly requestId: string | undefined;
  /** Whether the bundle that is active is this one. */
  isSame(active: BundleSummary): boolean;
  /** Keeps what is large of it; may throw, and nothing is changed. Gives its number. */
  keep(transaction: DatabaseTransaction, active: BundleSummary | undefined): Promise<number>;
  /** Makes it the active one. */
  activate(transaction: DatabaseTransaction, bundle: number, revision: number): Promise<void>;
}

/** What came of it. */
export interface CommittedBundle {
  readonly bundle: number;
  readonly revision: number;
  readonly changes: RuleCounts;
  readonly changed: boolean;
}

/** Where a change of bundles is written. */
export interface BundleStores {
  readonly database: Database;
  readonly audit: Pick<AuditRecorder, 'write'>;
  /** Where changes of rules wait for each other. */
  readonly inQueue: ChangeQueue;
}

/**
 * Commits a change of the active bundle: its rules, its revision and its audit event, or nothing.
 * Rules are sent before anybody must wait, and written while only other changes of rules wait; what
 * is done under the lock of the revisions, for which a key's revocation waits too, takes no time.
 */
export async function commitBundle(
  { database, audit, inQueue }: BundleStores,
  change: BundleChange,
): Promise<CommittedBundle> {
  const { compiled } = change;
  return database.transaction().execute(async (transaction) => {
    await stageRules(transaction, compiled.rules, (rule) => tenantOf(compiled, rule));
    return inQueue(() => commitStaged(transaction, audit, change));
  });
}

async function commitStaged(
  transaction: DatabaseTransaction,
  audit: BundleStores['audit'],
  change: BundleChange,
): Promise<CommittedBundle> {
  const { kind, actor, commit, requestId, compiled } = change;
  await lockRules(transaction);
  const active = await activeBundle(transaction);
  if (active !== undefined && change.isSame(active)) {
    const revision = await latestRevision(transaction);
    const changes = { added: 0, removed: 0 };
    return { bundle: active.bundle, revision, changes, changed: false };
  }
  const bundle = await change.keep(transaction, active);
  const changes = await installRules(transaction, compiled);
  const detail = { name: compiled.name, previous: active?.bundle ?? null, ...changes };
  const { revision } = await handOutRevision(transaction, async (revision) => {
    await change.activate(transaction, bundle, revision);
    await audit.write(transaction, {
      kind,
      actor,
      revision,
      bundle,
      ...(commit === undefined ? {} : { commit }),
      ...(requestId === undefined ? {} : { requestId }),
      detail,
    });
    return { change: { kind, actor, detail: { bundle, ...detail } }, result: undefined };
  });
  return { bundle, revision, changes, changed: true };
}
