import { NotFound } from '../errors.js';
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
import { type BundleSummary, findBundle, listBundles, type StoredBundle } from './bundle-store.js';
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
export interface PolicyServiceOptions extends Omit<ApplyOptions, 'inQueue'> {
  readonly current: Pick<CurrentPolicy, 'catchUp'>;
  /** Told of the revision of each change as soon as it is committed; must not throw. */
  onCommit?(revision: number): void;
}

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
  /** The rules in force, in the engine's order. */
  listRules(query: RuleQuery): Promise<ListedRules>;
  /** @throws InvalidRequest, Forbidden, Conflict, OwnedByBundle */
  changeRules(change: RuleChange): Promise<RuleChangeResult>;
}

/** Makes the service that stores bundles and rules. */
export function createPolicyService(options: PolicyServiceOptions): PolicyService {
  const { database } = options;
  const readActivePolicy = activePolicyReader();
  const stores = { ...options, inQueue: createChangeQueue() };

  /** So that this server answers by its own change at once; where it cannot, the holder retries. */
  const takeUp = async (revision: number) => {
    options.onCommit?.(revision);
    await options.current.catchUp().catch(() => undefined);
  };

  return {
    async apply(request) {
      const applied = await applyBundle(stores, request);
      if (applied.changed) await takeUp(applied.revision);
      return applied;
    },
    validate: ({ files }) => validateBundle(options, files),
    async activate(request) {
      const activated = await activateBundle(
        stores,
        await storedBundle(options, request.bundle),
        request,
      );
      if (activated.changed) await takeUp(activated.revision);
      return activated;
    },
    history: ({ after, limit }) => historyOf(options, after, limit),
    get: (bundle) => storedBundle(options, bundle),
    listRules: (query) => listRulesInForce(database, readActivePolicy, query),
    async changeRules(change) {
      const result = await changeRules({ ...stores, readActivePolicy }, change);
      if (result.added + result.removed > 0) await takeUp(result.revision);
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
