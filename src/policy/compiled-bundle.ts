import type { BundleFault } from '../errors.js';
import type { MatcherPart } from '../engine/engine.js';
import type { Model } from '../engine/model.js';
import type { GovernanceRule } from '../governance/governance-rule.js';
import type { DecisionWord, JsonValue, Reason, RuleLine } from '../vocabulary.js';

/** The files of a bundle: paths relative to `bundle.yaml`, with `/`, and their text. */
export type BundleFiles = ReadonlyMap<string, string>;

/** A Casbin line of a bundle and where it stands. */
export interface BundleRule {
  readonly line: RuleLine;
  readonly source: { readonly file: string; readonly line: number };
}

/** One test of a bundle: a check as it would be posted, and what must come of it. */
export interface BundleTest {
  readonly name: string;
  /** The fixed clock in milliseconds since the epoch; undefined: now. */
  readonly now?: number;
  /** A body of `POST /check`, of its schema. */
  readonly check: JsonValue;
  readonly expect: { readonly decision: DecisionWord; readonly reason?: Reason };
  readonly source: { readonly file: string; readonly line: number; readonly column: number };
}

/** What `bundle.yaml` says besides its name and model. */
export interface BundleSettings {
  /** The tenants served; undefined where the model has `dom` and none are listed. */
  readonly tenants: readonly string[] | undefined;
  readonly sharedRules: boolean;
  readonly rolesAsSubjects: boolean;
  /** Paths masked in audit events, such as `context.card`. */
  readonly redact: readonly string[];
  /** Paths within `context` that every approval binds besides those that its rules' conditions name. */
  readonly bind: readonly string[];
}

/** A bundle without faults, ready to decide; immutable. */
export interface CompiledBundle {
  readonly name: string;
  /** The model as `bundle.yaml` names it: by name, or by path in the bundle. */
  readonly modelName: string;
  readonly model: Model;
  readonly rules: readonly BundleRule[];
  readonly governance: readonly GovernanceRule[];
  readonly tests: readonly BundleTest[];
  readonly settings: BundleSettings;
}

/** What compiling a bundle comes to: all faults at once, or the bundle with its warnings. */
export type Compilation =
  | {
      readonly faults: readonly [BundleFault, ...BundleFault[]];
      readonly warnings: readonly BundleFault[];
    }
  | { readonly bundle: CompiledBundle; readonly warnings: readonly BundleFault[] };

/** What trying a bundle out came to. */
export interface BundleTrial {
  /** Each test that failed, as a fault at its place. */
  readonly faults: readonly BundleFault[];
  /** How the engine that decided finds the rules of each part of the matcher. */
  readonly parts: readonly MatcherPart[];
}

/** Runs the tests of a bundle against that bundle alone. */
export type BundleTester = (bundle: CompiledBundle) => Promise<BundleTrial>;
