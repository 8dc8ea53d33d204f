import type { Check } from '../vocabulary.js';
import type { Applied, ConditionInput, GovernanceRule } from './governance-rule.js';
import { type CheckMatcher, compileMatch } from './match.js';

interface IndexedRule {
  readonly rule: GovernanceRule;
  readonly fits: CheckMatcher;
}

/**
 * The governance rules of a bundle, ready to be asked which of them apply to a check. Immutable.
 * Rules that name their tenants are only looked at for those.
 */
export class GovernanceIndex {
  /** In the order of the bundle. */
  readonly rules: readonly GovernanceRule[];
  readonly #byTenant = new Map<string, readonly IndexedRule[]>();
  /** For tenants that no rule names: the rules for all tenants, or for a pattern of them. */
  readonly #elsewhere: readonly IndexedRule[];

  constructor(rules: readonly GovernanceRule[]) {
    this.rules = rules;
    const indexed = rules.map((rule) => ({ rule, fits: compileMatch(rule.match) }));
    this.#elsewhere = indexed.filter(({ rule }) => !isBound(rule));
    const named = new Set(rules.flatMap((rule) => (rule.match.tenants ?? []).filter(isPlain)));
    for (const tenant of named) {
      const here = indexed.filter(({ rule }) => !isBound(rule) || speaksOf(rule, tenant));
      this.#byTenant.set(tenant, here);
    }
  }

  /**
   * The rules that apply to a check, in the order of the bundle: those whose `match` fits and whose
   * `when` is true, or cannot be evaluated (`failed` then says why).
   */
  applicable(input: ConditionInput): Applied[] {
    const applied: Applied[] = [];
    for (const { rule, fits } of this.#candidates(input.check)) {
      if (!fits(input.check, input.roles)) continue;
      const outcome = rule.when?.evaluate(input) ?? { value: true };
      if ('failed' in outcome) applied.push({ rule, failed: outcome.failed });
      else if (outcome.value) applied.push({ rule });
    }
    return applied;
  }

  #candidates({ tenant }: Check): readonly IndexedRule[] {
    return this.#byTenant.get(tenant) ?? this.#elsewhere;
  }
}

function isPlain(pattern: string): boolean {
  return !pattern.includes('*');
}

/** Whether a rule speaks of tenants that it names, and of no others. */
function isBound({ match }: GovernanceRule): boolean {
  return match.tenants?.every(isPlain) ?? false;
}

function speaksOf({ match }: GovernanceRule, tenant: string): boolean {
  return match.tenants?.includes(tenant) ?? true;
}
