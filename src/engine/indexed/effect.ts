import type { PolicyEffect } from '../policy-effect.js';

/** What a rule says, as node-casbin numbers it. Matchers that come to other numbers say nothing known. */
export const ALLOW = 1;
export const INDETERMINATE = 2;
export const DENY = 3;

/** What the rules have come to so far. */
export interface Merged {
  allowed: boolean;
  /** The place of the rule that node-casbin would name, among those that were given; -1 for none. */
  named: number;
}

/**
 * Takes what the rule at `place` says into what the rules before it said. True where no further rule
 * can change the outcome. As node-casbin's effector does.
 */
export function mergeEffect(
  effect: PolicyEffect,
  merged: Merged,
  said: number,
  place: number,
): boolean {
  switch (effect) {
    case 'allow-override':
      return said === ALLOW && decided(merged, true, place);
    case 'deny-override':
      merged.allowed = true;
      return said === DENY && decided(merged, false, place);
    case 'allow-and-deny':
      if (said === ALLOW) decided(merged, true, place);
      return said === DENY && decided(merged, false, place);
    case 'priority':
    case 'subject-priority':
      return said !== INDETERMINATE && decided(merged, said === ALLOW, place);
  }
}

/** What the value of a matcher says, before the rule's own effect is looked at. */
export function meaningOf(value: unknown): number {
  if (typeof value === 'boolean') return value ? ALLOW : INDETERMINATE;
  if (typeof value === 'number') return value === 0 ? INDETERMINATE : value;
  if (typeof value === 'string') return value === '' ? INDETERMINATE : ALLOW;
  throw new Error('matcher result should only be of type boolean, number, or string');
}

/** What a rule that matched says by its `eft`; without one it allows. */
export function effectOf(eft: string | undefined): number {
  if (!eft || eft === 'allow') return ALLOW;
  return eft === 'deny' ? DENY : INDETERMINATE;
}

function decided(merged: Merged, allowed: boolean, place: number): true {
  merged.allowed = allowed;
  merged.named = place;
  return true;
}
