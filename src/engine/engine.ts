import type { Work } from '../platform/turns.js';
import type { Check, RuleLine } from '../vocabulary.js';

/** What Casbin says of a check, before any governance rule is asked. */
export type EngineAnswer =
  /** `rule`: the rule that node-casbin's `enforceEx` would name, if it names one. */
  | { readonly effect: 'allow'; readonly rule?: RuleLine }
  /** `explicit`: a rule said deny; else no rule matched. */
  | { readonly effect: 'deny'; readonly explicit: boolean; readonly rule?: RuleLine }
  /** The matcher could not be evaluated, most often because it read an absent member. */
  | { readonly effect: 'error'; readonly message: string };

/** A check, or as much of one as fills its `sub` where a bundle maps nothing else there. */
export type SubjectOfCheck = Pick<Check, 'tenant' | 'subject'> & Partial<Check>;

/** A part of a matcher, and how an engine finds out which rules it holds for. */
export interface MatcherPart {
  /** As the model writes it. */
  readonly text: string;
  /**
   * `indexed`: its rules are looked up. `residual`: evaluated on the rules that the indexed parts
   * leave. `fallback`: evaluated on every rule, by node-casbin.
   */
  readonly handling: 'indexed' | 'residual' | 'fallback';
}

/** Rules that came into force, in rank order, and rules that went out of it. */
export interface RuleDifference {
  readonly added: readonly RuleLine[];
  readonly removed: readonly RuleLine[];
}

/** A change that is ready: nothing of it shows before `commit`, and all of it does after. */
export interface PreparedChange {
  /** Makes it count, in the present turn of the event loop; once. */
  commit(): void;
  /** Puts away what it left behind, once it was committed; to be done before the next change. */
  tidying(): Work<void>;
}

/**
 * A loaded model with its rules. Synchronous; nothing but a change that is applied or committed changes
 * what it answers, and `decide` never throws for anything that a check can contain.
 */
export interface Engine {
  /** `reference` (node-casbin) or `indexed`. */
  readonly name: string;
  /** Number of rules held. */
  readonly size: number;
  /** The conjuncts of the matcher, in its order. */
  readonly parts: readonly MatcherPart[];
  decide(check: Check): EngineAnswer;
  /**
   * The roles that `g` gives the `sub` of this check in its tenant: inherited ones too, at most 10
   * levels, in breadth-first order, without the subject itself. Empty where the model has no `g`.
   * Throws where `role_patterns` names a function that cannot take this `sub`.
   */
  rolesOf(check: SubjectOfCheck): readonly string[];
  /** Whether `name` is the name of a role in the tenant: the right-hand side of some `g` rule there. */
  isRole(name: string, tenant: string): boolean;
  /** Whether the `sub` of this check is itself the name of a role in its tenant. */
  subjectIsRole(check: SubjectOfCheck): boolean;
  /**
   * Takes a small change in place, whole: first what went, then what came, which ranks after all that
   * is held. An added rule that is held already keeps its rank. False where the engine cannot: then
   * nothing has changed, and the caller builds another.
   */
  apply(difference: RuleDifference): boolean;
  /**
   * `apply` in many turns of the event loop, for what would hold one for long: gets the change ready,
   * while the engine answers as before. Undefined where it cannot take it. One change at a time.
   */
  preparing(difference: RuleDifference): Work<PreparedChange | undefined>;
}
