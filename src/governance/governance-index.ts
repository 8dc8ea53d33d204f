import type { Check } from '../vocabulary.js';
import type { Applied, ConditionInput, GovernanceRule, Match } from './governance-rule.js';
import { canFitKey, type CheckMatcher, compileMatch, typeNamedBy } from './match.js';
import { Pigeonholes } from './pigeonholes.js';
import { isWild } from './wildcard.js';

/** A rule that applies, with its place in the bundle. */
interface PlacedRule extends Applied {
  readonly place: number;
}

interface IndexedRule {
  /** What is found where the rule applies as it says: the same for every check. */
  readonly found: PlacedRule;
  /** What of its `match` is left to ask once the rule was looked up. */
  readonly fits: CheckMatcher;
}

/** The names that a rule is looked up by; undefined where it may fit any. */
interface Address {
  readonly tenants: readonly string[] | undefined;
  readonly actions: readonly string[] | undefined;
  readonly types: readonly string[] | undefined;
}

type OfType = IndexedRule[];
type OfAction = Pigeonholes<OfType>;
type OfTenant = Pigeonholes<OfAction>;

const NONE: readonly Applied[] = [];

/**
 * The governance rules of a bundle, ready to be asked which of them apply to a check. Immutable.
 * Looked up by tenant, name of the action and type of the resource, so that a check costs what can
 * apply to it, however many rules there are for others.
 */
export class GovernanceIndex {
  /** In the order of the bundle. */
  readonly rules: readonly GovernanceRule[];
  readonly #byTenant: Pigeonholes<OfTenant> = new Pigeonholes(
    () => new Pigeonholes(() => new Pigeonholes((): OfType => [])),
  );

  constructor(rules: readonly GovernanceRule[]) {
    this.rules = rules;
    rules.forEach((rule, place) => this.#add(rule, place));
  }

  /**
   * The rules that apply to a check, in the order of the bundle: those whose `match` fits and whose
   * `when` is true, or cannot be evaluated (`failed` then says why).
   */
  applicable(input: ConditionInput): readonly Applied[] {
    const lists = this.#candidates(input.check);
    if (lists.length === 0) return NONE;
    const applied: PlacedRule[] = [];
    for (const list of lists) for (const candidate of list) judge(candidate, input, applied);
    return lists.length === 1 ? applied : applied.sort((a, b) => a.place - b.place);
  }

  #add(rule: GovernanceRule, place: number): void {
    const { address, rest } = addressOf(rule.match);
    const indexed: IndexedRule = { found: { rule, place }, fits: compileMatch(rest) };
    for (const ofTenant of this.#byTenant.opened(address.tenants)) {
      for (const ofAction of ofTenant.opened(address.actions)) {
        for (const ofType of ofAction.opened(address.types)) ofType.push(indexed);
      }
    }
  }

  /** Lists of rules that may apply; no rule stands in two of them. */
  #candidates({ tenant, action, resource }: Check): OfType[] {
    const lists: OfType[] = [];
    for (const ofTenant of [this.#byTenant.under(tenant), this.#byTenant.always]) {
      if (ofTenant === undefined) continue;
      for (const ofAction of [ofTenant.under(action.name), ofTenant.always]) {
        if (ofAction === undefined) continue;
        const ofType = ofAction.under(resource.type);
        if (ofType !== undefined) lists.push(ofType);
        if (ofAction.always !== undefined) lists.push(ofAction.always);
      }
    }
    return lists;
  }
}

function judge({ found, fits }: IndexedRule, input: ConditionInput, applied: PlacedRule[]): void {
  if (!fits(input.check, input.roles)) return;
  const { when } = found.rule;
  if (when === undefined) {
    applied.push(found);
    return;
  }
  const outcome = when.evaluate(input);
  if ('failed' in outcome) applied.push({ ...found, failed: outcome.failed });
  else if (outcome.value) applied.push(found);
}

/** Most places that one rule is filed in: with long lists of each member they would be their product. */
const MAX_PLACES = 1_000;

/** The names that a rule is looked up by, and the `rest` of its `match`, which they do not settle. */
function addressOf(match: Match): { readonly address: Address; readonly rest: Match } {
  const { tenants, actions, resources, ...others } = match;
  const address = bounded({
    tenants: namesIn(tenants),
    actions: namesIn(actions),
    types: typesIn(resources),
  });
  const typesSettle = address.types !== undefined && resources?.every(isWholeType);
  const rest: Match = {
    ...others,
    ...(address.tenants === undefined && tenants !== undefined ? { tenants } : {}),
    ...(address.actions === undefined && actions !== undefined ? { actions } : {}),
    ...(typesSettle || resources === undefined ? {} : { resources }),
  };
  return { address, rest };
}

/** Looked up by fewer members where the lists are long: by types last, by tenants always. */
function bounded(address: Address): Address {
  const tenants = address.tenants?.length ?? 1;
  const places = tenants * (address.actions?.length ?? 1);
  if (places > MAX_PLACES) return { ...address, actions: undefined, types: undefined };
  if (places * (address.types?.length ?? 1) > MAX_PLACES) return { ...address, types: undefined };
  return address;
}

function namesIn(patterns: readonly string[] | undefined): readonly string[] | undefined {
  return patterns?.some(isWild) ? undefined : patterns && [...new Set(patterns)];
}

function typesIn(patterns: readonly string[] | undefined): readonly string[] | undefined {
  const types = patterns?.filter(canFitKey).map(typeNamedBy);
  const named = types?.filter((type) => type !== undefined);
  return named?.length === types?.length ? named && [...new Set(named)] : undefined;
}

/** Whether a pattern of resources fits all of one type. */
function isWholeType(pattern: string): boolean {
  const type = typeNamedBy(pattern);
  return type !== undefined && pattern === `${type}:*`;
}
