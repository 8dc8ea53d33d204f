import { buildEngine } from '../engine/create-engine.js';
import type { Engine } from '../engine/engine.js';
import type { Model } from '../engine/model.js';
import { GovernanceIndex } from '../governance/governance-index.js';
import { type LogPlace, newestPlace } from '../platform/change-tail.js';
import type { Database, DatabaseTransaction } from '../platform/database.js';
import { inTurns, takeTurns } from '../platform/turns.js';
import type { ActivePolicy } from './active-policy.js';
import { DEFAULT_SETTINGS } from './bundle-settings.js';
import { eachRule } from './rule-store.js';
import { emptyEngine, type Snapshot } from './snapshot.js';

/** What building needs besides the database. */
export interface SnapshotSources {
  readActivePolicy(database: Database): Promise<ActivePolicy | undefined>;
  /** Begins the engine of a model; the fastest for it unless given. */
  readonly buildEngine?: typeof buildEngine;
  /** Gives the building up. */
  readonly signal?: AbortSignal;
}

/** All of a snapshot but its keys, and the place in the change log that it was read at. */
export interface BuiltPolicy {
  readonly place: LogPlace;
  readonly policy: Omit<Snapshot, 'keys'>;
}

/**
 * Builds the policy of the newest revision out of one repeatable-read transaction, so that its parts
 * belong together. Takes seconds with a million rules, in short turns of the event loop.
 */
export async function buildPolicy(
  database: Database,
  sources: SnapshotSources,
): Promise<BuiltPolicy> {
  return database
    .transaction()
    .setIsolationLevel('repeatable read')
    .setAccessMode('read only')
    .execute(async (transaction) => {
      const place = await newestPlace(transaction);
      const active = await sources.readActivePolicy(transaction);
      const parts = await policyParts(transaction, active, sources);
      return { place, policy: { revision: place.revision, ...parts } };
    });
}

async function policyParts(
  transaction: DatabaseTransaction,
  active: ActivePolicy | undefined,
  sources: SnapshotSources,
): Promise<Omit<Snapshot, 'revision' | 'keys'>> {
  if (active === undefined) {
    return {
      bundle: undefined,
      model: undefined,
      engine: emptyEngine,
      governance: new GovernanceIndex([]),
      settings: DEFAULT_SETTINGS,
    };
  }
  const { bundle, definition } = active;
  return {
    bundle: { number: bundle.bundle, name: bundle.name, commit: bundle.commit },
    model: definition.model,
    engine: await loadEngine(transaction, definition.model, sources),
    governance: await inTurns(GovernanceIndex.indexing(definition.governance)),
    settings: definition.settings,
  };
}

async function loadEngine(
  transaction: DatabaseTransaction,
  model: Model,
  { buildEngine: begin = buildEngine, signal }: SnapshotSources,
): Promise<Engine> {
  const builder = begin(model);
  await eachRule(transaction, (rule) => builder.add(rule), { turns: takeTurns(), signal });
  return inTurns(builder.building());
}
