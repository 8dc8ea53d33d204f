import type { AuditRecorder } from '../audit/recorder.js';
import { commitChange } from '../platform/change-log.js';
import type { Database, DatabaseTransaction } from '../platform/database.js';
import { activeBundle, type BundleSummary } from './bundle-store.js';
import type { CompiledBundle } from './compiled-bundle.js';
import { installRules } from './install-rules.js';
import type { RuleCounts } from './bundle-rule-store.js';

/** Another bundle is to become the active one. */
export interface BundleChange {
  readonly kind: 'bundle.applied' | 'bundle.activated';
  readonly compiled: CompiledBundle;
  readonly actor: string;
  readonly commit: string | undefined;
  readonly requestId: string | undefined;
  /** Whether the bundle that is active is this one. */
  isSame(active: BundleSummary): boolean;
  /** Makes it the active one; gives its number. May throw, and nothing is changed. */
  store(
    transaction: DatabaseTransaction,
    revision: number,
    active: BundleSummary | undefined,
  ): Promise<number>;
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
}

/** Commits a change of the active bundle: its rules, its revision and its audit event, or nothing. */
export async function commitBundle(
  { database, audit }: BundleStores,
  change: BundleChange,
): Promise<CommittedBundle> {
  const { kind, actor, commit, requestId, compiled } = change;
  const { result, revision, changed } = await commitChange<{ bundle: number; changes: RuleCounts }>(
    database,
    async (transaction, revision) => {
      const active = await activeBundle(transaction);
      if (active !== undefined && change.isSame(active)) {
        return { unchanged: { bundle: active.bundle, changes: { added: 0, removed: 0 } } };
      }
      const bundle = await change.store(transaction, revision, active);
      const changes = await installRules(transaction, compiled);
      const detail = { name: compiled.name, previous: active?.bundle ?? null, ...changes };
      await audit.write(transaction, {
        kind,
        actor,
        revision,
        bundle,
        ...(commit === undefined ? {} : { commit }),
        ...(requestId === undefined ? {} : { requestId }),
        detail,
      });
      return {
        change: { kind, actor, detail: { bundle, ...detail } },
        result: { bundle, changes },
      };
    },
  );
  return { ...result, revision, changed };
}
