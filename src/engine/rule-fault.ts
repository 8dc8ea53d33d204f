import type { RuleLine } from '../vocabulary.js';
import { checkExpression, within } from './check-expression.js';
import type { Expression } from './expression.js';
import { parseExpression } from './parse-expression.js';
import { hasListsAsMeant } from './list-syntax.js';
import { evaluatedFields } from './matcher-faults.js';
import type { ModelDefinitions } from './definitions.js';

/** What is wrong with a rule; `field` is the index among its values (the type not counted). */
export interface RuleFault {
  readonly field?: number;
  readonly message: string;
}

const MAX_VALUE_LENGTH = 4096;
/**
 * What a rule's effect may say. Casbin takes any other word as "neither", so that a misspelt `deny`
 * would silently allow: only the words meant so are let through, the second spelling because the
 * example that Casbin ships has it. Empty counts as `allow` in Casbin, and is refused too.
 */
const EFFECTS = ['allow', 'deny', 'indeterminate', 'intdeterminate'];

/** Says what is wrong with a value; undefined if nothing is. */
type ValueCheck = (value: string) => string | undefined;

/** A field of a rule type: its name, and what its values must pass besides being plain text. */
interface Field {
  readonly name: string;
  readonly checks: readonly ValueCheck[];
}

/**
 * Makes the check of rules under a model. No rule that passes makes node-casbin throw for every
 * request, hang, or run code.
 */
export function createRuleCheck(
  model: ModelDefinitions,
): (line: RuleLine) => RuleFault | undefined {
  const types = new Map<string, readonly Field[]>([['p', policyFields(model)]]);
  for (const [type, arity] of model.roleTypes) {
    types.set(type, roleFields(type, arity, model));
  }
  const evaluated = [...evaluatedFields(model)];
  return (line) => {
    const fault = ruleFault(line, types);
    return fault ?? (line[0] === 'p' ? listFaultOf(line, evaluated, model) : undefined);
  };
}

/** Tells a rule whose conditions Casbin would misread once they stand in the matcher. */
function listFaultOf(
  [, ...values]: RuleLine,
  evaluated: readonly string[],
  { policyTokens, matcherText }: ModelDefinitions,
): RuleFault | undefined {
  if (evaluated.length === 0) return undefined;
  const conditionOf = (name: string): string => values[policyTokens.indexOf(name)] ?? '';
  if (hasListsAsMeant(matcherText, conditionOf)) return undefined;
  const [first = ''] = evaluated;
  const withComma = evaluated.find((name) => conditionOf(name).includes(','));
  return {
    field: policyTokens.indexOf(withComma ?? first),
    message:
      'Casbin would read a ` (…)` with a comma as a list because ` in ` occurs beside it; remove the space before `(`, and before `eval(` in the matcher',
  };
}

function ruleFault(
  line: RuleLine,
  types: ReadonlyMap<string, readonly Field[]>,
): RuleFault | undefined {
  const [ptype, ...values] = line;
  const fields = types.get(ptype);
  if (!fields) {
    const known = [...types.keys()].map((type) => `\`${type}\``).join(', ');
    return { message: `the rule type \`${ptype}\` is not known; this model has ${known}` };
  }
  if (values.length !== fields.length) {
    const names = fields.map(({ name }) => name).join(', ');
    return {
      message: `\`${ptype}\` takes ${fields.length} values (${names}), not ${values.length}`,
    };
  }
  for (const [field, value] of values.entries()) {
    for (const check of [textFault, ...(fields[field]?.checks ?? [])]) {
      const message = check(value);
      if (message !== undefined) {
        return { field, message };
      }
    }
  }
  return undefined;
}

/** The expression of a value that reaches `eval`, if it may be evaluated. */
export function parseRuleExpression(
  value: string,
  model: ModelDefinitions,
): { readonly expression: Expression } | { readonly fault: string } {
  const parsed = parseExpression(value, 'rule value');
  if ('fault' in parsed) {
    return { fault: `${parsed.fault.message} (at character ${parsed.fault.at + 1})` };
  }
  const [first] = checkExpression(parsed.expression, { ...model, place: 'rule value' });
  if (first) {
    return { fault: `${first.message} (at character ${first.at + 1})` };
  }
  return parsed;
}

function textFault(value: string): string | undefined {
  if (/[\p{Cc}\p{Surrogate}]/u.test(value)) {
    return 'the value holds a control character or half of a surrogate pair; remove it';
  }
  return value.length > MAX_VALUE_LENGTH
    ? `the value is longer than ${MAX_VALUE_LENGTH} characters`
    : undefined;
}

function policyFields(model: ModelDefinitions): readonly Field[] {
  const evaluated = evaluatedFields(model);
  return model.policyTokens.map((name) => ({
    name,
    checks: evaluated.has(name)
      ? [(value) => expressionFault(value, model)]
      : [...(NAMED_CHECKS.get(name) ?? []), ...patternChecks(name, model)],
  }));
}

/** Fields to which node-casbin itself gives a meaning. */
const NAMED_CHECKS: ReadonlyMap<string, readonly ValueCheck[]> = new Map([
  [
    'priority',
    [
      (value: string) =>
        /^-?\d{1,15}$/.test(value) ? undefined : `the priority \`${value}\` is no whole number`,
    ],
  ],
  [
    'eft',
    [
      (value: string) =>
        EFFECTS.includes(value)
          ? undefined
          : `the effect \`${value}\` is neither \`allow\` nor \`deny\``,
    ],
  ],
]);

function expressionFault(value: string, model: ModelDefinitions): string | undefined {
  const parsed = parseRuleExpression(value, model);
  return 'fault' in parsed ? parsed.fault : undefined;
}

/** The value must be a pattern of each function that the matcher gives the field to. */
function patternChecks(name: string, model: ModelDefinitions): readonly ValueCheck[] {
  const functions = new Set<string>();
  for (const part of within(model.matcher)) {
    const pattern = part.kind === 'call' ? part.args[1] : undefined;
    if (part.kind === 'call' && pattern?.kind === 'token' && pattern.of === 'p') {
      if (pattern.name === name) {
        functions.add(part.name);
      }
    }
  }
  return [...functions].flatMap((called) => model.functions.get(called)?.patternFault ?? []);
}

function roleFields(type: string, arity: 2 | 3, model: ModelDefinitions): readonly Field[] {
  const matcher = model.functions.get(model.rolePatterns.get(type) ?? '');
  const checks = matcher ? [matcher.patternFault] : [];
  const names = [
    { name: 'name', checks },
    { name: 'role', checks },
  ];
  return arity === 3 ? [...names, { name: 'tenant', checks: [] }] : names;
}
