import { within } from './check-expression.js';
import type { ModelDefinitions } from './definitions.js';
import type { Expression } from './expression.js';
import { alwaysUsesTenant, usesTenant } from './tenant-comparison.js';
import type { ExpressionFault } from './tokenizer.js';

/** Faults of a matcher whose names are all right, seen together with the rest of its model. */
export function matcherFaults(model: ModelDefinitions): readonly ExpressionFault[] {
  return [
    ...tenantFaults(model),
    ...evalFaults(model),
    ...policyFaults(model),
    ...orderFaults(model),
  ];
}

/**
 * What is legitimate in a matcher, yet seldom meant. A branch for superusers is: its rules decide in
 * every tenant.
 */
export function matcherWarnings(model: ModelDefinitions): readonly ExpressionFault[] {
  const token = tenantToken(model);
  if (token === undefined) return [];
  const warnings: string[] = [];
  if (usesTenant(model) && !alwaysUsesTenant(model)) {
    warnings.push(
      `the matcher can match without comparing \`r.${token}\` or passing it to \`g\`: a rule of one tenant may decide in another`,
    );
  }
  if (model.effect === 'subject-priority') {
    warnings.push(
      '`subjectPriority` puts the rules of all tenants in one order: a rule of one tenant may change which rule decides in another',
    );
  }
  return warnings.map((message) => ({ at: 0, message }));
}

/** The fields of a rule that the matcher evaluates. */
export function evaluatedFields(model: Pick<ModelDefinitions, 'matcher'>): ReadonlySet<string> {
  const fields = new Set<string>();
  for (const part of within(model.matcher)) {
    const [field] = part.kind === 'call' && part.name === 'eval' ? part.args : [];
    if (field?.kind === 'token') {
      fields.add(field.name);
    }
  }
  return fields;
}

/** Whether a matcher reads any field of a rule. */
export function readsRules(matcher: Expression): boolean {
  return [...within(matcher)].some((part) => part.kind === 'token' && part.of === 'p');
}

/** A matcher that passes over the tenant would let the rules of one answer for all. */
function tenantFaults(model: ModelDefinitions): readonly ExpressionFault[] {
  const token = tenantToken(model);
  if (token === undefined || usesTenant(model)) {
    return [];
  }
  const message = `the matcher must compare \`r.${token}\` or pass it to \`g\`: as it stands, the rules of one tenant would answer for every other`;
  return [{ at: 0, message }];
}

function tenantToken({ requestTokens }: ModelDefinitions): string | undefined {
  return [...requestTokens.values()].find(({ path }) => path[0] === 'tenant')?.name;
}

function evalFaults(model: ModelDefinitions): readonly ExpressionFault[] {
  const evaluated = evaluatedFields(model);
  const faults: ExpressionFault[] = [];
  const inEval = new Set<unknown>();
  for (const part of within(model.matcher)) {
    if (part.kind === 'call' && part.name === 'eval') {
      part.args.forEach((argument) => inEval.add(argument));
    }
    if (part.kind === 'token' && part.of === 'p' && evaluated.has(part.name) && !inEval.has(part)) {
      faults.push({
        at: part.at,
        message: `\`p.${part.name}\` is evaluated by \`eval\`, so it cannot be read as text too`,
      });
    }
  }
  return faults;
}

/** node-casbin finds out whether a matcher reads the rules by looking for `p_` in its text. */
function policyFaults(model: ModelDefinitions): readonly ExpressionFault[] {
  const at = model.matcherText.indexOf('p_');
  const message = 'Casbin would take this `p_` for a field of a rule; choose another name';
  return readsRules(model.matcher) || at === -1 ? [] : [{ at, message }];
}

function orderFaults(model: ModelDefinitions): readonly ExpressionFault[] {
  if (model.effect !== 'subject-priority') {
    return [];
  }
  const missing = [
    ...(model.roleTypes.has('g') ? [] : ['a role definition `g`']),
    ...['sub', 'obj']
      .filter((name) => !model.policyTokens.includes(name))
      .map((name) => `a field \`p.${name}\``),
    ...(model.roleTypes.get('g') === 3 && !model.policyTokens.includes('dom')
      ? ['a field `p.dom`']
      : []),
  ];
  return missing.map((what) => ({
    at: 0,
    message: `the effect \`subjectPriority\` needs ${what}`,
  }));
}
