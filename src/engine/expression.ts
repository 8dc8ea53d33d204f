/** Binary operators, by how strongly they bind; the order is node-casbin's, where `in` binds as `||`. */
export const BINDING = {
  '||': 1,
  in: 1,
  '&&': 2,
  '==': 6,
  '!=': 6,
  '===': 6,
  '!==': 6,
  '<': 7,
  '>': 7,
  '<=': 7,
  '>=': 7,
  '+': 9,
  '-': 9,
  '*': 10,
  '/': 10,
  '%': 10,
} as const;
/** An operator between two expressions. */
export type BinaryOperator = keyof typeof BINDING;
/** An operator before an expression. */
export type UnaryOperator = '!' | '-' | '+';

/** A parsed matcher or rule expression. `at` is the offset in its text. */
export type Expression =
  | {
      readonly kind: 'literal';
      readonly value: string | number | boolean | null;
      readonly at: number;
    }
  /** `r.name.member…` (`of` is `r`) or `p.name`. */
  | {
      readonly kind: 'token';
      readonly of: 'r' | 'p';
      readonly name: string;
      readonly members: readonly string[];
      readonly at: number;
    }
  | {
      readonly kind: 'call';
      readonly name: string;
      readonly args: readonly Expression[];
      readonly at: number;
    }
  | { readonly kind: 'list'; readonly items: readonly Expression[]; readonly at: number }
  | {
      readonly kind: 'unary';
      readonly operator: UnaryOperator;
      readonly operand: Expression;
      readonly at: number;
    }
  | {
      readonly kind: 'binary';
      readonly operator: BinaryOperator;
      readonly left: Expression;
      readonly right: Expression;
      readonly at: number;
    }
  | {
      readonly kind: 'conditional';
      readonly test: Expression;
      readonly whenTrue: Expression;
      readonly whenFalse: Expression;
      readonly at: number;
    };

/** A token of the request or of a rule. */
export type TokenReference = Extract<Expression, { kind: 'token' }>;
/** A call of a named function or of a role relation. */
export type Call = Extract<Expression, { kind: 'call' }>;
