import type { BinaryOperator, Call, Expression, TokenReference } from '../expression.js';
import { shapeOfReference } from '../check-expression.js';
import { isIn, readMember, refuse } from '../guards.js';
import type { ModelDefinitions } from '../definitions.js';
import { parseRuleExpression } from '../rule-fault.js';
import { type Frame, NO_RULE } from './frame.js';

/** A compiled expression. Throws what node-casbin would throw. */
export type Evaluate = (frame: Frame) => unknown;

/** Where the values of rules and the functions come from. */
export interface Surroundings {
  /** A value of a rule; undefined where the rule is too short. */
  readonly text: (column: number, row: number) => string | undefined;
  /** Casbin's named functions and the role relations. */
  readonly functions: ReadonlyMap<string, (...args: readonly unknown[]) => unknown>;
}

/** Expressions of rules kept compiled; then all are forgotten. */
const MAX_COMPILED = 20_000;

/**
 * Compiles checked expressions to closures. Nothing else can be reached than the tokens, own members
 * of request objects, and the functions given; values compare and combine as JavaScript's do, which is
 * what node-casbin has them do.
 */
export class Interpreter {
  readonly #model: ModelDefinitions;
  readonly #surroundings: Surroundings;
  readonly #tokens: readonly string[];
  readonly #ofRules = new Map<string, Evaluate>();

  constructor(model: ModelDefinitions, surroundings: Surroundings) {
    this.#model = model;
    this.#surroundings = surroundings;
    this.#tokens = [...model.requestTokens.keys()];
  }

  compile(expression: Expression): Evaluate {
    switch (expression.kind) {
      case 'literal': {
        const { value } = expression;
        return () => value;
      }
      case 'token':
        return expression.of === 'r' ? this.#requestToken(expression) : this.#field(expression);
      case 'call':
        return expression.name === 'eval' ? this.#evaluated(expression) : this.#call(expression);
      case 'list': {
        const items = expression.items.map((item) => this.compile(item));
        return (frame) => items.map((item) => item(frame));
      }
      case 'unary':
        return unary(expression.operator, this.compile(expression.operand));
      case 'binary':
        return binary(
          expression.operator,
          this.compile(expression.left),
          this.compile(expression.right),
        );
      case 'conditional': {
        const test = this.compile(expression.test);
        const whenTrue = this.compile(expression.whenTrue);
        const whenFalse = this.compile(expression.whenFalse);
        return (frame) => (test(frame) ? whenTrue(frame) : whenFalse(frame));
      }
    }
  }

  #requestToken(reference: TokenReference): Evaluate {
    const { name, members } = reference;
    const index = this.#tokens.indexOf(name);
    const shape = shapeOfReference(reference, this.#model.requestTokens);
    const mayBeAbsent = shape?.kind === 'json' && shape.mayBeAbsent;
    if (members.length === 0 && !mayBeAbsent) return ({ values }) => values[index];
    const token = `r.${name}`;
    return ({ values }) => readMember(values[index], token, ...members);
  }

  #field({ name }: TokenReference): Evaluate {
    const column = this.#model.policyTokens.indexOf(name);
    const { text } = this.#surroundings;
    return ({ row }) => (row === NO_RULE ? '' : text(column, row));
  }

  #call({ name, args }: Call): Evaluate {
    const call = this.#surroundings.functions.get(name) ?? refuse;
    const [first, second, third] = args.map((argument) => this.compile(argument));
    if (first && second && third) {
      return (frame) => call(first(frame), second(frame), third(frame));
    }
    if (first && second) return (frame) => call(first(frame), second(frame));
    const all = args.map((argument) => this.compile(argument));
    return (frame) => call(...all.map((argument) => argument(frame)));
  }

  /** `eval(p.x)`: the rule's own expression, of the few that may be evaluated. */
  #evaluated({ args: [field] }: Call): Evaluate {
    const name = field?.kind === 'token' ? field.name : '';
    const column = this.#model.policyTokens.indexOf(name);
    const { text } = this.#surroundings;
    return (frame) =>
      frame.row === NO_RULE ? undefined : this.#ofRule(text(column, frame.row) ?? '')(frame);
  }

  #ofRule(text: string): Evaluate {
    const known = this.#ofRules.get(text);
    if (known) return known;
    const parsed = parseRuleExpression(text, this.#model);
    const compiled = 'expression' in parsed ? this.compile(parsed.expression) : refuse;
    if (this.#ofRules.size >= MAX_COMPILED) this.#ofRules.clear();
    this.#ofRules.set(text, compiled);
    return compiled;
  }
}

function unary(operator: '!' | '-' | '+', operand: Evaluate): Evaluate {
  switch (operator) {
    case '!':
      return (frame) => !operand(frame);
    case '-':
      return (frame) => -(operand(frame) as number);
    case '+':
      return (frame) => Number(operand(frame));
  }
}

function binary(operator: BinaryOperator, left: Evaluate, right: Evaluate): Evaluate {
  if (operator === '&&') return (frame) => left(frame) && right(frame);
  if (operator === '||') return (frame) => left(frame) || right(frame);
  const combine = OPERATORS[operator];
  return (frame) => combine(left(frame), right(frame));
}

/**
 * JavaScript's operators on values of any kind, as node-casbin applies them: the types are those of
 * the commonest use alone.
 */
const OPERATORS: Readonly<
  Record<Exclude<BinaryOperator, '&&' | '||'>, (a: unknown, b: unknown) => unknown>
> = {
  // oxlint-disable-next-line eslint/eqeqeq -- Casbin's equality is the loose one
  '==': (a, b) => a == b,
  // oxlint-disable-next-line eslint/eqeqeq -- Casbin's equality is the loose one
  '!=': (a, b) => a != b,
  '===': (a, b) => a === b,
  '!==': (a, b) => a !== b,
  '<': (a, b) => (a as number) < (b as number),
  '>': (a, b) => (a as number) > (b as number),
  '<=': (a, b) => (a as number) <= (b as number),
  '>=': (a, b) => (a as number) >= (b as number),
  '+': (a, b) => (a as number) + (b as number),
  '-': (a, b) => (a as number) - (b as number),
  '*': (a, b) => (a as number) * (b as number),
  '/': (a, b) => (a as number) / (b as number),
  '%': (a, b) => (a as number) % (b as number),
  in: isIn,
};
