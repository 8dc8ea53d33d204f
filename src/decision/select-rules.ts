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

/** No rule of any kind: what applies to most checks, and to those that Casbin denies. */
export const NO_RULES: AppliedByKind = {
  'time-window': [],
  'require-comment': [],
  'approval-required': [],
  'rate-limit': [],
};

/** The governance rules that apply to a check, each under its kind. */
export function selectRules(index: GovernanceIndex, input: ConditionInput): AppliedByKind {
  const all = index.applicable(input);
  if (all.length === 0) return NO_RULES;
  const found: Found = {
    'time-window': [],
    'require-comment': [],
    'approval-required': [],
    'rate-limit': [],
  };
  for (const entry of all) file(entry, found);
  return found;
}

type Found = { readonly [Kind in GovernanceKind]: AppliedRule<Kind>[] };

function file(entry: Applied, found: Found): void {
  if (isOf('time-window', entry)) found['time-window'].push(entry);
  else if (isOf('require-comment', entry)) found['require-comment'].push(entry);
  else if (isOf('approval-required', entry)) found['approval-required'].push(entry);
  else if (isOf('rate-limit', entry)) found['rate-limit'].push(entry);
}

function isOf<Kind extends GovernanceKind>(
  kind: Kind,
  entry: Applied,
): entry is Applied & AppliedRule<Kind> {
  return entry.rule.kind === kind;
}
