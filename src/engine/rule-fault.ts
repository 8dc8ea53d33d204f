import type { RuleLine } from '../vocabulary.js';
import { checkExpression, within } from './check-expression.js';
import { parseExpression, type Expression } from './expression.js';
import { hasCommaGroup } from './list-syntax.js';
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

/** What is wrong with a rule under a model, if anything: nothing that passes makes node-casbin throw for every request, hang, or run code. */
export function ruleFault(line: RuleLine, model: ModelDefinitions): RuleFault | undefined {
  const [ptype, ...values] = line;
  const names = fieldNames(ptype, model);
  if (!names) {
    const known = ['p', ...model.roleTypes.keys()].map((type) => `\`${type}\``).join(', ');
    return { message: `the rule type \`${ptype}\` is not known; this model has ${known}` };
  }
  if (values.length !== names.length) {
    return {
      message: `\`${ptype}\` takes ${names.length} values (${names.join(', ')}), not ${values.length}`,
    };
  }
  for (const [field, value] of values.entries()) {
    const message =
      textFault(value) ??
      (ptype === 'p'
        ? policyFault(names[field] ?? '', value, model)
        : roleFault(ptype, field, value, model));
    if (message !== undefined) {
      return { field, message };
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
  const mixesLists =
    (value.includes(' in ') && hasCommaGroup(model.matcherText)) ||
    (model.matcherText.includes(' in ') && hasCommaGroup(value));
  return mixesLists
    ? {
        fault:
          'Casbin would read a ` (…)` with a comma as a list because ` in ` occurs beside it; remove the space before `(`',
      }
    : parsed;
}

function fieldNames(ptype: string, model: ModelDefinitions): readonly string[] | undefined {
  if (ptype === 'p') {
    return model.policyTokens;
  }
  const arity = model.roleTypes.get(ptype);
  return arity && ['name', 'role', 'tenant'].slice(0, arity);
}

function textFault(value: string): string | undefined {
  if (/[\p{Cc}\p{Surrogate}]/u.test(value)) {
    return 'the value holds a control character or half of a surrogate pair; remove it';
  }
  return value.length > MAX_VALUE_LENGTH
    ? `the value is longer than ${MAX_VALUE_LENGTH} characters`
    : undefined;
}

function policyFault(name: string, value: string, model: ModelDefinitions): string | undefined {
  if (name === 'priority' && !/^-?\d{1,15}$/.test(value)) {
    return `the priority \`${value}\` is no whole number`;
  }
  if (name === 'eft' && !EFFECTS.includes(value)) {
    return `the effect \`${value}\` is neither \`allow\` nor \`deny\``;
  }
  const use = fieldUses(model).get(name);
  if (use?.evaluated) {
    const parsed = parseRuleExpression(value, model);
    return 'fault' in parsed ? parsed.fault : undefined;
  }
  return patternFault(value, use?.matchers ?? [], model);
}

/** What the matcher does with a field of a rule. */
interface FieldUse {
  readonly evaluated: boolean;
  /** The functions that take it as their pattern. */
  readonly matchers: readonly string[];
}

/** Worked out once for each matcher: a bundle may have a million rules. */
const knownUses = new WeakMap<Expression, ReadonlyMap<string, FieldUse>>();

function fieldUses(model: ModelDefinitions): ReadonlyMap<string, FieldUse> {
  const known = knownUses.get(model.matcher);
  if (known) {
    return known;
  }
  const evaluated = evaluatedFields(model);
  const uses = new Map(
    model.policyTokens.map((name) => [
      name,
      { evaluated: evaluated.has(name), matchers: matchersOf(name, model.matcher) },
    ]),
  );
  knownUses.set(model.matcher, uses);
  return uses;
}

function matchersOf(name: string, matcher: Expression): readonly string[] {
  return [...within(matcher)].flatMap((part) => {
    const pattern = part.kind === 'call' ? part.args[1] : undefined;
    const takesField = pattern?.kind === 'token' && pattern.of === 'p' && pattern.name === name;
    return part.kind === 'call' && takesField ? [part.name] : [];
  });
}

/** Whether the value can be a pattern of each function that the matcher gives its field to. */
function patternFault(
  value: string,
  matchers: readonly string[],
  model: ModelDefinitions,
): string | undefined {
  for (const matcher of matchers) {
    const message = model.functions.get(matcher)?.patternFault(value);
    if (message !== undefined) {
      return message;
    }
  }
  return undefined;
}

function roleFault(
  ptype: string,
  field: number,
  value: string,
  model: ModelDefinitions,
): string | undefined {
  const matcher = model.rolePatterns.get(ptype);
  return matcher === undefined || field > 1
    ? undefined
    : model.functions.get(matcher)?.patternFault(value);
}
