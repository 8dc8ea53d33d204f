import { BundleMoved, type BundleFault, InvalidBundle, NotFound } from '../errors.js';
import { latestRevision } from '../platform/change-log.js';
import { activePolicyReader, storedModel } from './active-policy.js';
import { digestOf } from './bundle-file-set.js';
import {
  activeBundle,
  type BundleSummary,
  findBundle,
  insertBundle,
  listBundles,
  setActiveBundle,
  type StoredBundle,
} from './bundle-store.js';
import { changeRules, type RuleChange, type RuleChangeResult } from './change-rules.js';
import { type BundleStores, commitBundle, type CommittedBundle } from './commit-bundle.js';
import { compileBundle, inOrder, keptFiles } from './compile-bundle.js';
import type { CompileOptions } from './compile-definition.js';
import type { BundleFiles, BundleTester } from './compiled-bundle.js';
import type { CurrentPolicy } from './current-policy.js';
import { adminRuleFaults } from './install-rules.js';
import { type ListedRules, listRulesInForce, type RuleQuery } from './list-rules.js';
import { parsePlace } from './page.js';

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

/** One page of a list; `next` is what to pass as `after`, null at the end. */
export interface Page<Item> {
  readonly items: readonly Item[];
  readonly next: string | null;
}

/** What the service is made of. */
export interface PolicyServiceOptions extends BundleStores {
  readonly current: Pick<CurrentPolicy, 'catchUp'>;
  readonly runTests: BundleTester;
  readonly shippedModels: ReadonlyMap<string, string>;
}

/** Bundles and rules: everything that changes the policy goes through here. */
export interface PolicyService {
  /** @throws InvalidBundle with every fault; BundleMoved where another is active than expected */
  apply(request: ApplyRequest): Promise<ApplyResult>;
  /** @throws InvalidBundle with what `apply` would refuse; stores nothing */
  validate(request: { files: BundleFiles }): Promise<{ warnings: readonly BundleFault[] }>;
  /** @throws NotFound; InvalidBundle where it no longer holds what it must */
  activate(request: ActivateRequest): Promise<ApplyResult>;
  /** The bundles ever applied, the newest first. */
  history(page: {
    readonly after?: string | undefined;
    readonly limit: number;
  }): Promise<Page<BundleSummary>>;
  /** One bundle with its files. @throws NotFound */
  get(bundle: number): Promise<StoredBundle>;
  /** The rules in force, in the engine's order. */
  listRules(query: RuleQuery): Promise<ListedRules>;
  /** @throws InvalidRequest, Forbidden, Conflict, OwnedByBundle */
  changeRules(change: RuleChange): Promise<RuleChangeResult>;
}

/** Makes the service that stores bundles and rules. */
export function createPolicyService(options: PolicyServiceOptions): PolicyService {
  const { database } = options;
  const readActivePolicy = activePolicyReader();

  /** So that this server answers by its own change at once; where it cannot, the holder retries. */
  const takeUp = async () => {
    await options.current.catchUp().catch(() => undefined);
  };

  return {
    async apply(request) {
      const applied = await applyBundle(options, request);
      if (applied.changed) await takeUp();
      return applied;
    },
    validate: ({ files }) => validateBundle(options, files),
    async activate(request) {
      const activated = await activateBundle(options, request);
      if (activated.changed) await takeUp();
      return activated;
    },
    history: ({ after, limit }) => historyOf(options, after, limit),
    get: (bundle) => storedBundle(options, bundle),
    listRules: (query) => listRulesInForce(database, readActivePolicy, query),
    async changeRules(change) {
      const result = await changeRules({ ...options, readActivePolicy }, change);
      if (result.added + result.removed > 0) await takeUp();
      return result;
    },
  };
}

async function applyBundle(
  options: PolicyServiceOptions,
  { files, actor, commit, expectBundle, requestId }: ApplyRequest,
): Promise<ApplyResult> {
  const { bundle: compiled, warnings } = compile(files, options);
  const kept = keptFiles(files, compiled.modelName);
  const digest = digestOf(kept, compiled.model.text);
  const isSame = (active: BundleSummary) => active.digest === digest.toString('hex');

  const before = await activeBundle(options.database);
  if (before && isSame(before)) {
    const revision = await latestRevision(options.database);
    const changes = { added: 0, removed: 0 };
    return { bundle: before.bundle, revision, changes, changed: false, warnings };
  }
  refuse(await options.runTests(compiled));
  const committed = await commitBundle(options, {
    kind: 'bundle.applied',
    compiled,
    actor,
    commit,
    requestId,
    isSame,
    store: async (transaction, revision, active) => {
      refuseMoved(active, expectBundle);
      const { name, modelName, model } = compiled;
      const row = { name, digest, modelName, modelText: model.text, author: actor, commit };
      return insertBundle(transaction, { ...row, files: kept }, revision);
    },
  });
  return { ...committed, warnings };
}

async function validateBundle(
  options: PolicyServiceOptions,
  files: BundleFiles,
): Promise<{ warnings: readonly BundleFault[] }> {
  const { bundle, warnings } = compile(files, options);
  const faults = await adminRuleFaults(options.database, bundle);
  refuse([...faults, ...(await options.runTests(bundle))]);
  return { warnings };
}

async function activateBundle(
  options: PolicyServiceOptions,
  { bundle: number, actor, requestId }: ActivateRequest,
): Promise<ApplyResult> {
  const stored = await storedBundle(options, number);
  const { bundle: compiled, warnings } = compile(stored.files, storedModel(stored));
  refuse(await options.runTests(compiled));
  const committed = await commitBundle(options, {
    kind: 'bundle.activated',
    compiled,
    actor,
    commit: stored.commit,
    requestId,
    isSame: (active) => active.bundle === number,
    store: async (transaction, revision) => {
      await setActiveBundle(transaction, number, revision);
      return number;
    },
  });
  return { ...committed, warnings };
}

async function historyOf(
  { database }: PolicyServiceOptions,
  after: string | undefined,
  limit: number,
): Promise<Page<BundleSummary>> {
  const before = after === undefined ? undefined : parsePlace(after);
  const bundles = await listBundles(database, limit + 1, before);
  const items = bundles.slice(0, limit);
  const last = items.at(-1);
  return { items, next: bundles.length > limit && last ? String(last.bundle) : null };
}

async function storedBundle(
  { database }: PolicyServiceOptions,
  number: number,
): Promise<StoredBundle> {
  const stored = isBundleNumber(number) ? await findBundle(database, number) : undefined;
  if (stored === undefined) throw new NotFound(`there is no bundle \`${number}\``);
  return stored;
}

/** Numbers beyond the column's range name no bundle, and would be an error to Postgres. */
function isBundleNumber(number: number): boolean {
  return Number.isInteger(number) && number > 0 && number < 2 ** 31;
}

function compile(files: BundleFiles, options: CompileOptions) {
  const compilation = compileBundle(files, options);
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
