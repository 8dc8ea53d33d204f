import type { TSchema } from '@sinclair/typebox';
import type { GovernanceKind } from '../vocabulary.js';
import type { GovernanceRule } from './governance-rule.js';

/** Tells a fault at a place in a rule: a JSON pointer from the rule's root, `''` for the rule. */
export type TellFault = (pointer: string, message: string) => void;

/** What the rules of a kind say beyond the members that all rules share. */
export type TermsOf<Rule extends GovernanceRule> = Omit<
  Rule,
  'id' | 'kind' | 'description' | 'match' | 'when' | 'digest' | 'source'
>;

/**
 * A kind of governance rule. Its judge is a pure function beside it, called by the step of the
 * decision that bears the kind's name.
 */
export interface KindOfRule<Rule extends GovernanceRule, Written> {
  readonly kind: GovernanceKind & Rule['kind'];
  /** The kind's own members, as JSON Schema with their descriptions. */
  readonly members: Readonly<Record<string, TSchema>>;
  /**
   * Compiles the kind's own members, which have passed `members`, and tells what a schema cannot
   * say. What comes back is used only where no fault was told.
   */
  compile(written: Written, tell: TellFault): TermsOf<Rule>;
  /**
   * Tells of members that do not pass `members` what can be told all the same, so that an author
   * need not mend one fault to see the next.
   */
  inspect?(rule: unknown, tell: TellFault): void;
}
