import type { Expression, TokenReference } from './expression.js';
import { shapeOfReference } from './check-expression.js';
import type { RequestToken } from './request-token.js';

/** The functions that printed expressions call in place of member access and `in`. */
export const READ_MEMBER = 'readMember';
export const IS_IN = 'isIn';
/** Throws: stands where a rule holds an expression that must not run. */
export const REFUSE = 'refuse';

const CONTROLS: Readonly<Record<string, string>> = {
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\b': '\\b',
  '\f': '\\f',
  '\v': '\\v',
};

/**
 * Prints a checked expression for node-casbin, which rewrites expressions as text at several places
 * (`r.` to `r_`, `eval(…)`, ` (a, b)` to a list). Nothing of what is printed here is touched by that:
 * every operation stands in its own parentheses, without blanks, and every sign inside a text literal
 * is escaped. Members are read, and lists searched, by functions of ours, so that an absent member is
 * an error and inherited ones do not exist.
 */
export function printExpression(
  expression: Expression,
  tokens: ReadonlyMap<string, RequestToken>,
): string {
  const print = (part: Expression): string => printExpression(part, tokens);
  switch (expression.kind) {
    case 'literal':
      return printLiteral(expression.value);
    case 'token':
      return printToken(expression, tokens);
    case 'call':
      return `${expression.name}(${expression.args.map(print).join(',')})`;
    case 'list':
      return `[${expression.items.map(print).join(',')}]`;
    case 'unary':
      return `(${expression.operator}${print(expression.operand)})`;
    case 'binary':
      return expression.operator === 'in'
        ? `${IS_IN}(${print(expression.left)},${print(expression.right)})`
        : `(${print(expression.left)}${expression.operator}${print(expression.right)})`;
    case 'conditional':
      return `(${print(expression.test)}?${print(expression.whenTrue)}:${print(expression.whenFalse)})`;
  }
}

function printToken(reference: TokenReference, tokens: ReadonlyMap<string, RequestToken>): string {
  const variable = `${reference.of}_${reference.name}`;
  if (reference.of === 'p') {
    return variable;
  }
  const shape = shapeOfReference(reference, tokens);
  const mayBeAbsent = shape?.kind === 'json' && shape.mayBeAbsent;
  if (reference.members.length === 0 && !mayBeAbsent) {
    return variable;
  }
  const names = [`r.${reference.name}`, ...reference.members].map(printLiteral);
  return `${READ_MEMBER}(${[variable, ...names].join(',')})`;
}

function printLiteral(value: string | number | boolean | null): string {
  if (typeof value !== 'string') {
    return String(value);
  }
  const escaped = value.replace(
    /[\n\r\t\b\f\v]|[!-/:-@[-`{-~ ]/g,
    (char) => CONTROLS[char] ?? `\\${char}`,
  );
  return `"${escaped}"`;
}
