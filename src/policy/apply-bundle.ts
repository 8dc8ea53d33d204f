import type { MatcherPart } from '../engine/engine.js';
import { BundleMoved, type BundleFault, InvalidBundle } from '../errors.js';
import { latestRevision } from '../platform/change-log.js';
import type { Database } from '../platform/database.js';
import { inTurns } from '../platform/turns.js';
import { storedModel } from './active-policy.js';
import { digesting } from './bundle-file-set.js';
import {
  activeBundle,
  type BundleSummary,
  insertBundle,
  keepFiles,
  setActiveBundle,
  type StoredBundle,
} from './bundle-store.js';
import { type CommitStores, commitBundle, type CommittedBundle } from './commit-bundle.js';
import { compiling, inOrder, keptFiles } from './compile-bundle.js';
import type { CompileOptions } from './compile-definition.js';
import type { BundleFiles, BundleTester } from './compiled-bundle.js';
import { adminRuleFaults } from './install-rules.js';

/** A bundle to apply. */
export interface ApplyRequest {
  readonly files: BundleFiles;
  /** The person or caller who applies it. */
  readonly actor: string;
  /** The git commit that it comes from. */
  readonly commit?: string | undefined;
  /** The number of the bundle that must be active; 0: none may be. */
  readonly expectBundle?: number | undefined;
  readonly requestId?: string | undefined;
}

/** A bundle of the history to make the active one again. */
export interface ActivateRequest {
  readonly bundle: number;
  readonly actor: string;
  readonly requestId?: string | undefined;
}

/** What applying or activating came to. `changed`: false where that bundle was active already. */
export interface ApplyResult extends CommittedBundle {
  readonly warnings: readonly BundleFault[];
}

/** What judging a bundle needs. */
export interface ValidateOptions extends CompileOptions {
  /** For what is answered soon. */
  readonly database: Database;
  /** For what takes long. */
  readonly lengthy: Database;
  readonly runTests: BundleTester;
}

/** What judging and storing a bundle needs. */
export interface ApplyOptions extends ValidateOptions, CommitStores {}

/**
 * Makes a bundle the active one, unless the very same is active already.
 *
 * @throws InvalidBundle with every fault; BundleMoved where another is active than expected
 */
export async function applyBundle(
  options: ApplyOptions,
  { files, actor, commit, expectBundle, requestId }: ApplyRequest,
): Promise<ApplyResult> {
  const { bundle: compiled, warnings } = await compile(files, options);
  const kept = keptFiles(files, compiled.modelName);
  const digest = await inTurns(digesting(kept, compiled.model.text));
  // Whoever expects another bundle must look first, even where nothing would change.
  const isSame = (active: BundleSummary): boolean => {
    refuseMoved(active, expectBundle);
    return active.digest === digest.toString('hex');
  };

  const before = await activeBundle(options.database);
  if (before && isSame(before)) {
    const revision = await latestRevision(options.database);
    const changes = { added: 0, removed: 0 };
    return { bundle: before.bundle, revision, changes, changed: false, warnings };
  }
  refuse((await options.runTests(compiled)).faults);
  const committed = await commitBundle(options, {
    kind: 'bundle.applied',
    compiled,
    actor,
    commit,
    requestId,
    isSame,
    keep: async (transaction, active) => {
      refuseMoved(active, expectBundle);
      return keepFiles(transaction, kept);
    },
    activate: async (transaction, number, revision) => {
      const { name, modelName, model } = compiled;
      const row = { number, name, digest, modelName, modelText: model.text, author: actor, commit };
      await insertBundle(transaction, row, revision);
    },
  });
  return { ...committed, warnings };
}

/** What can be said of a bundle without faults. */
export interface ValidatedBundle {
  readonly warnings: readonly BundleFault[];
  /** How the engine finds the rules of each part of the matcher. */
  readonly parts: readonly MatcherPart[];
}

/** Says what `applyBundle` would refuse or warn of; stores nothing. @throws InvalidBundle */
export async function validateBundle(
  options: ValidateOptions,
  files: BundleFiles,
): Promise<ValidatedBundle> {
  const { bundle, warnings } = await compile(files, options);
  const faults = await options.lengthy
    .transaction()
    .setAccessMode('read only')
    .execute((transaction) => adminRuleFaults(transaction, bundle));
  const trial = await options.runTests(bundle);
  refuse([...faults, ...trial.faults]);
  return { warnings, parts: trial.parts };
}

/** Makes a bundle that is kept the active one, judging it anew. @throws InvalidBundle */
export async function activateBundle(
  options: ApplyOptions,
  stored: StoredBundle,
  { actor, requestId }: Omit<ActivateRequest, 'bundle'>,
): Promise<ApplyResult> {
  const { bundle: number } = stored;
  const { bundle: compiled, warnings } = await compile(stored.files, storedModel(stored));
  refuse((await options.runTests(compiled)).faults);
  const committed = await commitBundle(options, {
    kind: 'bundle.activated',
    compiled,
    actor,
    commit: stored.commit,
    requestId,
    isSame: (active) => active.bundle === number,
    keep: async () => number,
    activate: setActiveBundle,
  });
  return { ...committed, warnings };
}

async function compile(files: BundleFiles, options: CompileOptions) {
  const compilation = await inTurns(compiling(files, options));
  if ('faults' in compilation) throw new InvalidBundle(compilation.faults);
  return compilation;
}

function refuse(faults: readonly BundleFault[]): void {
  if (faults.length > 0) throw new InvalidBundle(inOrder(faults));
}

function refuseMoved(active: BundleSummary | undefined, expected: number | undefined): void {
  const number = active?.bundle ?? 0;
  if (expected === undefined || expected === number) return;
  const now = number === 0 ? 'no bundle is active' : `bundle \`${number}\` is active`;
  throw new BundleMoved(`${now}, not \`${expected}\`; look at what changed and apply again`);
}
