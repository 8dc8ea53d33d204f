import { NotFound } from '../errors.js';
import type { Database } from '../platform/database.js';
import { withinTime } from '../platform/later.js';
import { activePolicyReader } from './active-policy.js';
import {
  activateBundle,
  type ActivateRequest,
  applyBundle,
  type ApplyOptions,
  type ApplyRequest,
  type ApplyResult,
  validateBundle,
  type ValidatedBundle,
} from './apply-bundle.js';
import {
  type BundleSummary,
  findBundle,
  listBundles,
  sizeOfBundle,
  type StoredBundle,
} from './bundle-store.js';
import { changeRules, type RuleChange, type RuleChangeResult } from './change-rules.js';
import { createChangeQueue } from './change-queue.js';
import type { BundleFiles } from './compiled-bundle.js';
import type { CurrentPolicy } from './current-policy.js';
import { type ListedRules, listRulesInForce, type RuleQuery } from './list-rules.js';
import { parsePlace } from './page.js';

/** One page of a list; `next` is what to pass as `after`, null at the end. */
export interface Page<Item> {
  readonly items: readonly Item[];
  readonly next: string | null;
}

/** What the service is made of. */
export interface PolicyServiceOptions
  extends Omit<ApplyOptions, 'inQueue' | 'inBundleQueue' | 'lengthy'> {
  /** For what takes long, bundles: `database` unless given. */
  readonly lengthy?: Database;
  readonly current: Pick<CurrentPolicy, 'catchUp'>;
  /** Told of the revision of each change as soon as it is committed; must not throw. */
  onCommit?(revision: number): void;
}

/** Milliseconds that what is committed waits to decide here, before it is answered. */
const RULES_PATIENCE = 4_000;
const BUNDLE_PATIENCE = 60_000;

/** Bundles and rules: everything that changes the policy goes through here. */
export interface PolicyService {
  /** @throws InvalidBundle with every fault; BundleMoved where another is active than expected */
  apply(request: ApplyRequest): Promise<ApplyResult>;
  /** @throws InvalidBundle with what `apply` would refuse; stores nothing */
  validate(request: { files: BundleFiles }): Promise<ValidatedBundle>;
  /** @throws NotFound; InvalidBundle where it no longer holds what it must */
  activate(request: ActivateRequest): Promise<ApplyResult>;
  /** The bundles ever applied, the newest first. */
  history(page: {
    readonly after?: string | undefined;
    readonly limit: number;
  }): Promise<Page<BundleSummary>>;
  /** One bundle with its files. @throws NotFound */
  get(bundle: number): Promise<StoredBundle>;
  /** How many bytes the files of a bundle hold together; 0 where there is no such bundle. */
  sizeOf(bundle: number): Promise<number>;
  /** Takes up a bundle that was committed elsewhere, so that this server answers by it. */
  takeUp(revision: number): Promise<void>;
  /** The rules in force, in the engine's order. */
  listRules(query: RuleQuery): Promise<ListedRules>;
  /** @throws InvalidRequest, Forbidden, Conflict, OwnedByBundle */
  changeRules(change: RuleChange): Promise<RuleChangeResult>;
}

/** Makes the service that stores bundles and rules. */
export function createPolicyService(options: PolicyServiceOptions): PolicyService {
  const { database, lengthy = database } = options;
  const readActivePolicy = activePolicyReader();
  const stores = {
    ...options,
    inQueue: createChangeQueue(),
    inBundleQueue: createChangeQueue(),
  };

  /**
   * So that this server answers by its own change at once; where it cannot, the holder retries. What
   * is committed is answered `patience` milliseconds later at most, whatever became of the policy.
   */
  const takeUp = async (revision: number, patience: number) => {
    options.onCommit?.(revision);
    await withinTime(
      options.current.catchUp().catch(() => undefined),
      patience,
      undefined,
    );
  };

  return {
    async apply(request) {
      const applied = await applyBundle({ ...stores, lengthy }, request);
      if (applied.changed) await takeUp(applied.revision, BUNDLE_PATIENCE);
      return applied;
    },
    validate: ({ files }) => validateBundle({ ...options, lengthy }, files),
    async activate(request) {
      const activated = await activateBundle(
        { ...stores, lengthy },
        await storedBundle(lengthy, request.bundle),
        request,
      );
      if (activated.changed) await takeUp(activated.revision, BUNDLE_PATIENCE);
      return activated;
    },
    history: ({ after, limit }) => historyOf(options, after, limit),
    get: (bundle) => storedBundle(lengthy, bundle),
    sizeOf: (bundle) => sizeOfBundle(database, bundle),
    takeUp: (revision) => takeUp(revision, BUNDLE_PATIENCE),
    listRules: (query) => listRulesInForce(database, readActivePolicy, query),
    async changeRules(change) {
      const result = await changeRules({ ...stores, readActivePolicy }, change);
      if (result.added + result.removed > 0) await takeUp(result.revision, RULES_PATIENCE);
      return result;
    },
  };
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

async function storedBundle(lengthy: Database, number: number): Promise<StoredBundle> {
  const stored = isBundleNumber(number)
    ? await lengthy
        .transaction()
        .setAccessMode('read only')
        .execute((transaction) => findBundle(transaction, number))
    : undefined;
  if (stored === undefined) throw new NotFound(`there is no bundle \`${number}\``);
  return stored;
}

/** Numbers beyond the column's range name no bundle, and would be an error to Postgres. */
function isBundleNumber(number: number): boolean {
  return Number.isInteger(number) && number > 0 && number < 2 ** 31;
}
