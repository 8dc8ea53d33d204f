import type { BinaryOperator, Expression } from '../expression.js';

/** The parts of `a && b && …`, or of `a || b || …`, in their order; of anything else, itself. */
export function flattened(expression: Expression, operator: '&&' | '||'): readonly Expression[] {
  if (expression.kind !== 'binary' || expression.operator !== operator) return [expression];
  return [...flattened(expression.left, operator), ...flattened(expression.right, operator)];
}

/** What the parts come to as one expression again; undefined where there is none. */
export function conjunction(parts: readonly Expression[]): Expression | undefined {
  return parts.reduce<Expression | undefined>(
    (left, right) =>
      left === undefined ? right : { kind: 'binary', operator: '&&', left, right, at: right.at },
    undefined,
  );
}

/** An expression as an author would write it. */
export function readable(expression: Expression): string {
  switch (expression.kind) {
    case 'literal':
      return JSON.stringify(expression.value);
    case 'token':
      return [`${expression.of}.${expression.name}`, ...expression.members].join('.');
    case 'call':
      return `${expression.name}(${expression.args.map(readable).join(', ')})`;
    case 'list':
      return `[${expression.items.map(readable).join(', ')}]`;
    case 'unary':
      return `${expression.operator}${grouped(expression.operand)}`;
    case 'binary':
      return `${side(expression.left, expression.operator)} ${expression.operator} ${side(expression.right, expression.operator)}`;
    case 'conditional':
      return `${grouped(expression.test)} ? ${grouped(expression.whenTrue)} : ${grouped(expression.whenFalse)}`;
  }
}

function side(expression: Expression, operator: BinaryOperator): string {
  const chains = expression.kind === 'binary' && expression.operator === operator;
  return chains ? readable(expression) : grouped(expression);
}

function grouped(expression: Expression): string {
  const isOne = expression.kind !== 'binary' && expression.kind !== 'conditional';
  const isComparison = expression.kind === 'binary' && !['&&', '||'].includes(expression.operator);
  return isOne || isComparison ? readable(expression) : `(${readable(expression)})`;
}
