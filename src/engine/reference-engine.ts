import { done, type Work } from '../platform/turns.js';
import type { Check, RuleLine } from '../vocabulary.js';
import type { Engine, EngineAnswer, MatcherPart, SubjectOfCheck } from './engine.js';
import { guardFunctions } from './guards.js';
import { evaluatedFields } from './matcher-faults.js';
import type { Model } from './model.js';
import { createNamedFunctions, type NamedFunctions } from './named-functions.js';
import { OrderedEnforcer, type MatcherFunction } from './ordered-enforcer.js';
import { printExpression, REFUSE } from './print-expression.js';
import { valueAt } from './request-token.js';
import { RoleGraph } from './role-graph.js';
import { roleFunctions } from './role-functions.js';
import { parseRuleExpression } from './rule-fault.js';
import { subOf } from './sub-of.js';

/**
 * The engine that every other is measured by: node-casbin itself, freshly loaded with the rules in
 * rank order, evaluated synchronously. It takes time proportional to the number of rules.
 *
 * @param rules in rank order; rules that `model.faultOf` refuses never run code, but may make every
 *   check an error
 */
export function createReferenceEngine(model: Model, rules: Iterable<RuleLine>): Engine {
  return new ReferenceEngine(model, [...rules]);
}

class ReferenceEngine implements Engine {
  readonly name = 'reference';
  readonly size: number;
  readonly parts: readonly MatcherPart[];
  readonly #model: Model;
  readonly #enforcer: OrderedEnforcer;
  readonly #roles: ReadonlyMap<string, RoleGraph>;
  /** The rule that each array of values handed to node-casbin stands for. */
  readonly #lines = new Map<readonly string[], RuleLine>();

  constructor(model: Model, rules: readonly RuleLine[]) {
    this.size = rules.length;
    this.parts = [{ text: model.matcherText, handling: 'fallback' }];
    this.#model = model;
    const functions = createNamedFunctions();
    this.#roles = roleGraphs(model, rules, functions);
    this.#enforcer = this.#load(rules, functions);
  }

  decide(check: Check): EngineAnswer {
    try {
      const values = [...this.#model.requestTokens.values()].map(({ path }) =>
        valueAt(path, check),
      );
      const [allowed, named] = this.#enforcer.enforceExSync(...values);
      return this.#answer(allowed, this.#lines.get(named));
    } catch (error) {
      return { effect: 'error', message: error instanceof Error ? error.message : String(error) };
    }
  }

  rolesOf(check: SubjectOfCheck): readonly string[] {
    const sub = subOf(this.#model, check);
    if (sub === undefined) return [];
    return this.#roles.get('g')?.rolesOf(sub, this.#tenantOf('g', check.tenant)) ?? [];
  }

  isRole(name: string, tenant: string): boolean {
    return this.#roles.get('g')?.isRole(name, this.#tenantOf('g', tenant)) ?? false;
  }

  subjectIsRole(check: SubjectOfCheck): boolean {
    const sub = subOf(this.#model, check);
    return sub !== undefined && this.isRole(sub, check.tenant);
  }

  /** Never: node-casbin's own increments do not equal its load. */
  apply(): boolean {
    return false;
  }

  preparing(): Work<undefined> {
    return done(undefined);
  }

  #answer(allowed: boolean, rule: RuleLine | undefined): EngineAnswer {
    const named = rule && { rule };
    if (allowed) {
      return { effect: 'allow', ...named };
    }
    // A matcher that reads no rule cannot be denied by one, though node-casbin names the first.
    return { effect: 'deny', explicit: rule !== undefined && this.#model.readsRules, ...named };
  }

  #tenantOf(type: string, tenant: string): string {
    return this.#model.roleTypes.get(type) === 3 ? tenant : '';
  }

  #load(rules: readonly RuleLine[], functions: NamedFunctions): OrderedEnforcer {
    const model = this.#model;
    const policies = rules.filter(([type]) => type === 'p').map((line) => this.#valuesOf(line));
    const enforcer = new OrderedEnforcer({
      model,
      matcher: printExpression(model.matcher, model.requestTokens),
      policies,
      roles: rules.filter(([type]) => type === 'g').map(([, ...values]) => values),
      functions: new Map<string, MatcherFunction>([
        ...[...functions].map(([name, { call }]) => [name, call] as const),
        ...guardFunctions(),
        ...roleFunctions(this.#roles),
      ]),
    });
    for (const field of evaluatedFields(model)) {
      enforcer.rewriteField(field, (value) => this.#printed(value));
    }
    return enforcer;
  }

  #valuesOf(line: RuleLine): string[] {
    const [, ...values] = line;
    this.#lines.set(values, line);
    return values;
  }

  /** Casbin evaluates nothing but what we parsed and printed; of the rest, a call that throws. */
  #printed(value: string): string {
    const parsed = parseRuleExpression(value, this.#model);
    return 'expression' in parsed
      ? printExpression(parsed.expression, this.#model.requestTokens)
      : `${REFUSE}()`;
  }
}

function roleGraphs(
  model: Model,
  rules: readonly RuleLine[],
  functions: NamedFunctions,
): ReadonlyMap<string, RoleGraph> {
  const graphs = new Map<string, RoleGraph>();
  for (const [type, arity] of model.roleTypes) {
    const ofType = rules.filter(([ptype]) => ptype === type).map(([, ...values]) => values);
    const matcher = functions.get(model.rolePatterns.get(type) ?? '');
    const matches =
      matcher && ((name: string, pattern: string) => Boolean(matcher.call(name, pattern)));
    graphs.set(type, new RoleGraph(ofType, arity, matches));
  }
  return graphs;
}
