import type { GovernanceIndex } from '../governance/governance-index.js';
import type { Applied, ConditionInput, GovernanceRule } from '../governance/governance-rule.js';
import type { GovernanceKind } from '../vocabulary.js';

/** A governance rule of one kind that applies to the check. */
export interface AppliedRule<Kind extends GovernanceKind> {
  readonly rule: Extract<GovernanceRule, { kind: Kind }>;
  /** Why its condition could not be evaluated, where it could not. */
  readonly failed?: string;
}

/** The governance rules that apply to a check, in the bundle's order within each kind. */
export type AppliedByKind = { readonly [Kind in GovernanceKind]: readonly AppliedRule<Kind>[] };

/** The governance rules that apply to a check, each under its kind. */
export function selectRules(index: GovernanceIndex, input: ConditionInput): AppliedByKind {
  const all = index.applicable(input);
  return {
    'time-window': ofKind('time-window', all),
    'require-comment': ofKind('require-comment', all),
    'approval-required': ofKind('approval-required', all),
    'rate-limit': ofKind('rate-limit', all),
  };
}

/** No rule of any kind: what applies to a check that Casbin denies. */
export const NO_RULES: AppliedByKind = {
  'time-window': [],
  'require-comment': [],
  'approval-required': [],
  'rate-limit': [],
};

function ofKind<Kind extends GovernanceKind>(
  kind: Kind,
  all: readonly Applied[],
): AppliedRule<Kind>[] {
  return all.filter((entry): entry is Applied & AppliedRule<Kind> => entry.rule.kind === kind);
}
