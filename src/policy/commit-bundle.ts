import type { AuditRecorder } from '../audit/recorder.js';
import { handOutRevision, latestRevision } from '../platform/change-log.js';
import type { Database, DatabaseTransaction } from '../platform/database.js';
import type { ChangeQueue } from './change-queue.js';
import { activeBundle, type BundleSummary } from './bundle-store.js';
import type { CompiledBundle } from './compiled-bundle.js';
import { completeRules, writeRules } from './install-rules.js';
import type { RuleCounts } from './bundle-rule-store.js';
import { lockBundles, lockRules } from './rule-lock.js';
import { tenantOf } from './rule-tenant.js';
import { stageRules } from './stage-rules.js';

/** Milliseconds that a bundle waits for those before it, and for changes of rules, here and elsewhere. */
const PATIENCE = 60_000;

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

/** Where changes of rules are written. */
export interface BundleStores {
  readonly database: Database;
  readonly audit: Pick<AuditRecorder, 'write'>;
  /** Where changes of rules wait for each other. */
  readonly inQueue: ChangeQueue;
}

/** Where a change of bundles is committed. */
export interface CommitStores extends BundleStores {
  /** For what takes long. */
  readonly lengthy: Database;
  /** Where bundles wait for each other. */
  readonly inBundleQueue: ChangeQueue;
}

/**
 * Commits a change of the active bundle: its rules, its revision and its audit event, or nothing.
 * What takes long, sending its rules and files and writing them, is done while only other bundles
 * wait. Under the lock of the rules is done what admins left to do meanwhile, and under that of the
 * revisions, for which a key's revocation waits too, a few statements: neither grows with the bundle.
 */
export async function commitBundle(
  { lengthy, audit, inQueue, inBundleQueue }: CommitStores,
  change: BundleChange,
): Promise<CommittedBundle> {
  const { compiled } = change;
  const write = async (transaction: DatabaseTransaction): Promise<CommittedBundle> => {
    await stageRules(transaction, compiled.rules, (rule) => tenantOf(compiled, rule));
    await lockBundles(transaction, { patience: PATIENCE });
    const active = await activeBundle(transaction);
    if (active !== undefined && change.isSame(active)) {
      const revision = await latestRevision(transaction);
      const changes = { added: 0, removed: 0 };
      return { bundle: active.bundle, revision, changes, changed: false };
    }
    const bundle = await change.keep(transaction, active);
    const changes = await writeRules(transaction, compiled);
    const written = { bundle, changes, previous: active?.bundle ?? null };
    return inQueue(() => commitWritten(transaction, audit, change, written), {
      patience: PATIENCE,
    });
  };
  return inBundleQueue(() => lengthy.transaction().execute(write), { patience: PATIENCE });
}

/** What was written of a bundle before the lock of the rules was taken. */
interface WrittenBundle extends Pick<CommittedBundle, 'bundle' | 'changes'> {
  /** The bundle that was active. */
  readonly previous: number | null;
}

async function commitWritten(
  transaction: DatabaseTransaction,
  audit: BundleStores['audit'],
  change: BundleChange,
  { bundle, changes, previous }: WrittenBundle,
): Promise<CommittedBundle> {
  const { kind, actor, commit, requestId, compiled } = change;
  await lockRules(transaction, { patience: PATIENCE });
  await completeRules(transaction, compiled);
  const detail = { name: compiled.name, previous, ...changes };
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
