import { createEngine } from '../engine/create-engine.js';
import { GovernanceIndex } from '../governance/governance-index.js';
import { loadKeyRing } from '../identity/key-ring.js';
import { changesAfter, latestRevision } from '../platform/change-log.js';
import type { Database, DatabaseTransaction } from '../platform/database.js';
import type { RuleLine } from '../vocabulary.js';
import type { ActivePolicy } from './active-policy.js';
import { DEFAULT_SETTINGS } from './bundle-settings.js';
import { eachRule } from './rule-store.js';
import { emptyEngine, type Snapshot } from './snapshot.js';

/** Changes looked through for what must be read again; after more, everything is. */
const MAX_CHANGES = 1_000;

/** What building needs besides the database. */
export interface SnapshotSources {
  readActivePolicy(database: Database): Promise<ActivePolicy | undefined>;
}

/**
 * Builds the snapshot of the newest revision out of one repeatable-read transaction, so that its parts
 * belong together. What no change since `previous` touched is taken from there; where there is no
 * newer revision, that is `previous` itself.
 */
export async function buildSnapshot(
  database: Database,
  previous: Snapshot,
  { readActivePolicy }: SnapshotSources,
): Promise<Snapshot> {
  return database
    .transaction()
    .setIsolationLevel('repeatable read')
    .setAccessMode('read only')
    .execute(async (transaction) => {
      const revision = await latestRevision(transaction);
      if (revision === previous.revision) return previous;
      const keys = await loadKeyRing(transaction);
      if (await onlyKeysChanged(transaction, previous)) return { ...previous, revision, keys };
      const policy = await readActivePolicy(transaction);
      return { revision, keys, ...(await policyParts(transaction, policy)) };
    });
}

type PolicyParts = Omit<Snapshot, 'revision' | 'keys'>;

async function policyParts(
  transaction: DatabaseTransaction,
  policy: ActivePolicy | undefined,
): Promise<PolicyParts> {
  if (policy === undefined) {
    return {
      bundle: undefined,
      model: undefined,
      engine: emptyEngine,
      governance: new GovernanceIndex([]),
      settings: DEFAULT_SETTINGS,
    };
  }
  const { bundle, definition } = policy;
  const rules: RuleLine[] = [];
  await eachRule(transaction, (rule) => rules.push(rule));
  return {
    bundle: { number: bundle.bundle, name: bundle.name, commit: bundle.commit },
    model: definition.model,
    engine: createEngine(definition.model, rules),
    governance: new GovernanceIndex(definition.governance),
    settings: definition.settings,
  };
}

/** Keys come and go often and leave the policy as it was; building an engine may take seconds. */
async function onlyKeysChanged(
  transaction: DatabaseTransaction,
  { revision }: Snapshot,
): Promise<boolean> {
  const changes = await changesAfter(transaction, revision, MAX_CHANGES);
  // None at all: the database was set back to an older state, and nothing is known of it.
  if (changes.length === 0 || changes.length === MAX_CHANGES) return false;
  return changes.every(({ kind }) => kind.startsWith('key.'));
}
