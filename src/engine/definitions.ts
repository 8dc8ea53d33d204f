import type { Expression } from './expression.js';
import type { NamedFunctions } from './named-functions.js';
import type { PolicyEffect } from './policy-effect.js';
import type { RequestToken } from './request-token.js';

/** What `bundle.yaml` says of its model besides the name. */
export interface ModelOptions {
  /** Paths that fill request tokens: `{env: 'resource.properties.environment'}`. */
  readonly request?: Readonly<Record<string, string>>;
  /** Casbin's matching functions for role types: `{g2: 'keyMatch2'}`. */
  readonly rolePatterns?: Readonly<Record<string, string>>;
}

/** What a model defines. */
export interface ModelDefinitions {
  readonly requestTokens: ReadonlyMap<string, RequestToken>;
  /** The fields of a `p` rule, in order, without `p.`. */
  readonly policyTokens: readonly string[];
  /** `g`, `g2`, … and how many fields each has. */
  readonly roleTypes: ReadonlyMap<string, 2 | 3>;
  /** Role types whose names are patterns, each with the function that matches them. */
  readonly rolePatterns: ReadonlyMap<string, string>;
  readonly effect: PolicyEffect;
  readonly matcher: Expression;
  /** The matcher's text, continuation lines joined. */
  readonly matcherText: string;
  readonly functions: NamedFunctions;
}
