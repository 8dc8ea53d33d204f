import type { Work } from '../platform/turns.js';
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
  readonly #rules: GovernanceRule[] = [];
  #mayReadRoles = false;
  readonly #byTenant: Pigeonholes<OfTenant> = new Pigeonholes(
    () => new Pigeonholes(() => new Pigeonholes((): OfType => [])),
  );

  constructor(rules: readonly GovernanceRule[]) {
    for (const rule of rules) this.#add(rule);
  }

  /** An index of many rules as work of many turns: it pauses after each. */
  static *indexing(rules: readonly GovernanceRule[]): Work<GovernanceIndex> {
    const index = new GovernanceIndex([]);
    for (const rule of rules) {
      index.#add(rule);
      yield;
    }
    return index;
  }

  /** In the order of the bundle. */
  get rules(): readonly GovernanceRule[] {
    return this.#rules;
  }

  /** Whether some rule may do one thing or another by the roles of a subject. */
  get mayReadRoles(): boolean {
    return this.#mayReadRoles;
  }

  /**
   * The rules that apply to a check, in the order of the bundle: those whose `match` fits and whose
   * `when` is true, or cannot be evaluated (`failed` then says why).
   */
  applicable(input: ConditionInput): readonly Applied[] {
    const search = new Search(input);
    search.inTenant(this.#byTenant.under(input.check.tenant));
    search.inTenant(this.#byTenant.always);
    return search.found;
  }

  #add(rule: GovernanceRule): void {
    const place = this.#rules.push(rule) - 1;
    if (mayReadRoles(rule)) this.#mayReadRoles = true;
    const { address, rest } = addressOf(rule.match);
    const indexed: IndexedRule = { found: { rule, place }, fits: compileMatch(rest) };
    for (const ofTenant of this.#byTenant.opened(address.tenants)) {
      for (const ofAction of ofTenant.opened(address.actions)) {
        for (const ofType of ofAction.opened(address.types)) ofType.push(indexed);
      }
    }
  }
}

/** Collects the rules that apply to a check from the places in which they may be; from each once. */
class Search {
  readonly #input: ConditionInput;
  #found: PlacedRule[] | undefined;
  #isOrdered = true;

  constructor(input: ConditionInput) {
    this.#input = input;
  }

  /** In the order of the bundle. */
  get found(): readonly Applied[] {
    if (this.#found === undefined) return NONE;
    return this.#isOrdered ? this.#found : this.#found.sort((a, b) => a.place - b.place);
  }

  inTenant(ofTenant: OfTenant | undefined): void {
    if (ofTenant === undefined) return;
    const { name } = this.#input.check.action;
    this.#inAction(ofTenant.under(name));
    this.#inAction(ofTenant.always);
  }

  #inAction(ofAction: OfAction | undefined): void {
    if (ofAction === undefined) return;
    this.#inType(ofAction.under(this.#input.check.resource.type));
    this.#inType(ofAction.always);
  }

  #inType(ofType: OfType | undefined): void {
    if (ofType === undefined) return;
    const { check, roles } = this.#input;
    for (const { found, fits } of ofType) if (fits(check, roles)) this.#judge(found);
  }

  #judge(candidate: PlacedRule): void {
    const outcome = candidate.rule.when?.evaluate(this.#input);
    if (outcome === undefined) this.#add(candidate);
    else if ('failed' in outcome) this.#add({ ...candidate, failed: outcome.failed });
    else if (outcome.value) this.#add(candidate);
  }

  #add(rule: PlacedRule): void {
    this.#found ??= [];
    const last = this.#found.at(-1);
    if (last !== undefined && last.place > rule.place) this.#isOrdered = false;
    this.#found.push(rule);
  }
}

/** A condition may, whatever it names: to go through many roles is too much for any. */
function mayReadRoles(rule: GovernanceRule): boolean {
  if (rule.match.roles !== undefined || rule.when !== undefined) return true;
  return rule.kind === 'rate-limit' && Object.keys(rule.rate.byRole).length > 0;
}

/** Most places that one rule is filed in: with long lists of each member they would be their product. */
const MAX_PLACES = 100;

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
