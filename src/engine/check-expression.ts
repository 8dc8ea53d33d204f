import type { Call, Expression, TokenReference } from './expression.js';
import type { NamedFunctions } from './named-functions.js';
import { shapeOf, type RequestToken, type Shape } from './request-token.js';
import type { ExpressionFault, ExpressionPlace } from './tokenizer.js';

/** The names that an expression may use. */
export interface ExpressionScope {
  readonly place: ExpressionPlace;
  readonly requestTokens: ReadonlyMap<string, RequestToken>;
  readonly policyTokens: readonly string[];
  readonly roleTypes: ReadonlyMap<string, 2 | 3>;
  readonly functions: NamedFunctions;
}

/** Every expression inside an expression, itself first. */
export function* within(expression: Expression): Generator<Expression> {
  yield expression;
  for (const child of children(expression)) {
    yield* within(child);
  }
}

/**
 * Checks the names of a parsed expression: misspelt tokens (which Casbin compares as undefined, equal
 * to each other), members that no request can have, unknown functions, wrong numbers of arguments,
 * patterns that would throw or run for ever. Gives every fault, in the order of the text.
 */
export function checkExpression(
  expression: Expression,
  scope: ExpressionScope,
): readonly ExpressionFault[] {
  const faults: ExpressionFault[] = [];
  for (const part of within(expression)) {
    const message =
      part.kind === 'token'
        ? tokenFault(part, scope)
        : part.kind === 'call'
          ? callFault(part, scope)
          : undefined;
    if (message !== undefined) {
      faults.push({ at: part.at, message });
    }
  }
  return faults.sort((a, b) => a.at - b.at);
}

/** What a reference to a request token leads to; undefined where it is misspelt. */
export function shapeOfReference(
  reference: TokenReference,
  tokens: ReadonlyMap<string, RequestToken>,
): Shape | undefined {
  const token = tokens.get(reference.name);
  const isVirtual = reference.members.includes('key') && token?.path.length === 1;
  if (!token || (isVirtual && token.path[0] !== 'context')) {
    return undefined;
  }
  return shapeOf([...token.path, ...reference.members]);
}

function children(expression: Expression): readonly Expression[] {
  switch (expression.kind) {
    case 'literal':
    case 'token':
      return [];
    case 'call':
      return expression.args;
    case 'list':
      return expression.items;
    case 'unary':
      return [expression.operand];
    case 'binary':
      return [expression.left, expression.right];
    case 'conditional':
      return [expression.test, expression.whenTrue, expression.whenFalse];
  }
}

function tokenFault(reference: TokenReference, scope: ExpressionScope): string | undefined {
  const { of, name, members } = reference;
  const known = of === 'r' ? [...scope.requestTokens.keys()] : scope.policyTokens;
  if (!known.includes(name)) {
    return `\`${of}.${name}\` is not defined; the model has ${listed(known.map((k) => `${of}.${k}`))}`;
  }
  const full = [`${of}.${name}`, ...members].join('.');
  if (of === 'p') {
    return members.length === 0 ? undefined : `\`${full}\` cannot be read: rule values are text`;
  }
  if (shapeOfReference(reference, scope.requestTokens)) {
    return undefined;
  }
  const owner = shapeOfReference(
    { ...reference, members: members.slice(0, -1) },
    scope.requestTokens,
  );
  return owner?.kind === 'object'
    ? `\`${full}\` is not defined; there are ${listed(owner.members)}`
    : `\`${full}\` cannot be read: what stands before the last \`.\` is text; whole objects are \`r.subject\`, \`r.resource\`, \`r.action\` and \`r.context\``;
}

function callFault(call: Call, scope: ExpressionScope): string | undefined {
  if (call.name === 'eval') {
    return evalFault(call, scope);
  }
  const roleArity = scope.roleTypes.get(call.name);
  if (roleArity !== undefined) {
    return arityFault(call, roleArity);
  }
  const named = scope.functions.get(call.name);
  if (named) {
    return arityFault(call, named.arity) ?? patternArgumentFault(call, scope);
  }
  if (/^g[0-9]*$/.test(call.name)) {
    return `\`${call.name}\` is not defined under \`[role_definition]\``;
  }
  return `the function \`${call.name}\` is not known; there are ${listed([...scope.roleTypes.keys(), ...scope.functions.keys()])}`;
}

function evalFault(call: Call, scope: ExpressionScope): string | undefined {
  const [argument] = call.args;
  if (scope.place === 'rule value') {
    return 'a rule value cannot use `eval` itself';
  }
  const isField =
    argument?.kind === 'token' && argument.of === 'p' && argument.members.length === 0;
  return isField && call.args.length === 1
    ? undefined
    : '`eval` takes one field of a rule, such as `eval(p.sub_rule)`';
}

function arityFault(call: Call, arity: number): string | undefined {
  return call.args.length === arity
    ? undefined
    : `\`${call.name}\` takes ${arity} arguments, not ${call.args.length}`;
}

/** Patterns come from authors: from a rule or the model, never from a request. */
function patternArgumentFault(call: Call, scope: ExpressionScope): string | undefined {
  const pattern = call.args[1];
  if (pattern?.kind === 'token' && pattern.of === 'p') {
    return undefined;
  }
  if (pattern?.kind === 'literal' && typeof pattern.value === 'string') {
    return scope.functions.get(call.name)?.patternFault(pattern.value);
  }
  return `the pattern of \`${call.name}\` is its second argument; it must be a field of a rule or text in quotes`;
}

function listed(names: readonly string[]): string {
  return names.length === 0 ? 'none' : names.map((name) => `\`${name}\``).join(', ');
}
