import { Enforcer, FunctionMap, newModel } from 'casbin';
import type { ModelDefinitions } from './definitions.js';
import { effectText } from './policy-effect.js';

/** A function that matchers call. node-casbin passes on whatever it answers. */
export type MatcherFunction = (...args: never[]) => unknown;

/** What node-casbin is given: rules in rank order, texts that were printed by us, and functions. */
export interface EnforcerSource {
  readonly model: ModelDefinitions;
  /** The matcher as `printExpression` gives it. */
  readonly matcher: string;
  /** The values of the `p` rules in rank order; the very arrays that `enforceExSync` will name. */
  readonly policies: readonly string[][];
  /** The values of the `g` rules in rank order. */
  readonly roles: readonly string[][];
  readonly functions: ReadonlyMap<string, MatcherFunction>;
}

/**
 * node-casbin, loaded as its `loadPolicy` leaves it but never through its adapters, whose CSV path
 * splits values at commas and whose inserts depend on history. Role relations are given as plain
 * functions: the remembering `g()` of node-casbin mixes up names with commas.
 */
export class OrderedEnforcer extends Enforcer {
  constructor(source: EnforcerSource) {
    super();
    this.model = newModel();
    this.#define(source.model, source.matcher);
    this.fm = new FunctionMap();
    const functions: Map<string, MatcherFunction> = this.fm.getFunctions();
    for (const [name, call] of source.functions) {
      functions.set(name, call);
    }
    this.rmMap = new Map();
    // One at a time: a million arguments of one call would exhaust the stack.
    for (const rule of source.policies) {
      this.#rules('p').push(rule);
    }
    for (const rule of source.roles) {
      this.#rules('g').push(rule);
    }
    this.#sort();
    this.model.model.delete('g');
  }

  /** The very arrays that were given, in the order in which they are evaluated. */
  get ordered(): readonly (readonly string[])[] {
    return this.#rules('p');
  }

  /** Replaces the values of a field, once everything that sorts by values has run. */
  rewriteField(name: string, rewrite: (value: string) => string): void {
    const field = this.model.model.get('p')?.get('p')?.tokens.indexOf(`p_${name}`) ?? -1;
    for (const rule of this.#rules('p')) {
      rule[field] = rewrite(rule[field] ?? '');
    }
  }

  #define(model: ModelDefinitions, matcher: string): void {
    this.model.addDef('r', 'r', [...model.requestTokens.keys()].join(', '));
    this.model.addDef('p', 'p', model.policyTokens.join(', '));
    this.model.addDef('g', 'g', '_, _');
    this.model.addDef('e', 'e', effectText(model.effect));
    this.model.addDef('m', 'm', 'true');
    const assertion = this.model.model.get('m')?.get('m');
    if (assertion) {
      // Set directly: `addDef` would rewrite the text.
      assertion.value = matcher;
    }
  }

  #sort(): void {
    this.sortPolicies();
    this.model.sortPoliciesBySubjectHierarchy();
  }

  #rules(type: 'p' | 'g'): string[][] {
    return this.model.model.get(type)?.get(type)?.policy ?? [];
  }
}
