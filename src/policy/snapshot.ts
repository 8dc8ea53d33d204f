import type { Engine } from '../engine/engine.js';
import type { Model } from '../engine/model.js';
import { GovernanceIndex } from '../governance/governance-index.js';
import { emptyKeyRing, type KeyRing } from '../identity/key-ring.js';
import { done } from '../platform/turns.js';
import { DEFAULT_SETTINGS } from './bundle-settings.js';
import type { BundleSettings } from './compiled-bundle.js';

/** The bundle that a snapshot was built from, as decisions and audit events name it. */
export interface BundleName {
  readonly number: number;
  readonly name: string;
  readonly commit: string | undefined;
}

/**
 * Everything that a decision reads, of one revision; swapped in by one assignment. All of it but the
 * engine is never changed: whoever holds one sees the same governance rules and settings from the
 * first step to the last. The engine takes small changes in place, between two turns of the event
 * loop, and goes on into the next snapshot: it is asked in the turn in which its snapshot was taken
 * from `CurrentPolicy`, and not after anything was awaited.
 */
export interface Snapshot {
  readonly revision: number;
  /** Undefined while no bundle was ever applied: every check is then denied. */
  readonly bundle: BundleName | undefined;
  /** The model of the bundle. */
  readonly model: Model | undefined;
  readonly engine: Engine;
  readonly governance: GovernanceIndex;
  readonly settings: BundleSettings;
  /**
   * May be newer than `revision`: a revoked key does not wait for rules that take long to read. Changed in
   * place, in one turn.
   */
  readonly keys: KeyRing;
}

/** Denies everything: what decides while no bundle was ever applied. */
export const emptyEngine: Engine = {
  name: 'empty',
  size: 0,
  parts: [],
  decide: () => ({ effect: 'deny', explicit: false }),
  rolesOf: () => [],
  isRole: () => false,
  subjectIsRole: () => false,
  apply: () => false,
  preparing: () => done(undefined),
};

/** What a server holds before it has read anything: it knows no key and allows nothing. */
export const emptySnapshot: Snapshot = {
  revision: 0,
  bundle: undefined,
  model: undefined,
  engine: emptyEngine,
  governance: new GovernanceIndex([]),
  settings: DEFAULT_SETTINGS,
  keys: emptyKeyRing,
};
