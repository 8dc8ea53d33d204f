import { BINDING, type BinaryOperator, type Expression } from './expression.js';
import {
  ExpressionError,
  tokenize,
  type ExpressionFault,
  type ExpressionPlace,
  type Token,
} from './tokenizer.js';
import { listFault } from './list-syntax.js';
import { isReadableName } from './request-token.js';

/** Longest expression taken, in UTF-16 units. */
const MAX_LENGTH = 8192;
/** Deepest nesting of parentheses, calls, lists and unary operators. */
const MAX_DEPTH = 50;
const MAX_OPERATORS = 500;
/** Words that jsep reads as values wherever they stand, so that `.true` reads a member `undefined`. */
const WORDS_OF_VALUES = new Set(['true', 'false', 'null', 'this']);
/** A token reference is one for Casbin only after one of these, or at the start. */
const BEFORE_TOKEN = /[()\s|&,=!><+\-*/]/;

/**
 * Parses the expressions that Casbin rules and matchers may hold: a subset of what node-casbin
 * accepts, read as node-casbin reads it (jsep's grammar after its text rewriting), and nothing that
 * can run code: no member calls, no computed members, no assignment, no names but tokens and calls.
 * Whether the names exist is the matter of `checkExpression`.
 */
export function parseExpression(
  text: string,
  place: ExpressionPlace,
): { readonly expression: Expression } | { readonly fault: ExpressionFault } {
  if (text.length > MAX_LENGTH) {
    return { fault: { at: 0, message: `the expression is longer than ${MAX_LENGTH} characters` } };
  }
  try {
    return { expression: new Parser(text, place).parse() };
  } catch (error) {
    if (error instanceof ExpressionError) {
      return { fault: { at: error.at, message: error.message } };
    }
    throw error;
  }
}

class Parser {
  readonly #text: string;
  readonly #tokens: readonly Token[];
  /** Offsets of the lists written in Casbin's own way, `in (a, b)`: opening to closing parenthesis. */
  readonly #tuples = new Map<number, number>();
  /** Expressions that stood in parentheses. */
  readonly #grouped = new WeakSet<Expression>();
  #next = 0;
  #depth = 0;
  #operators = 0;

  constructor(text: string, place: ExpressionPlace) {
    this.#text = text;
    this.#tokens = tokenize(text, place);
  }

  parse(): Expression {
    const expression = this.#expression();
    if (this.#peek().kind !== 'end') {
      this.#refuse(this.#peek());
    }
    const fault = listFault(this.#text, this.#tuples);
    if (fault) {
      throw new ExpressionError(fault.at, fault.message);
    }
    return expression;
  }

  #expression(): Expression {
    const test = this.#binary(0);
    if (!this.#takeSign('?')) {
      return test;
    }
    const whenTrue = this.#nested(() => this.#expression());
    this.#expectSign(':');
    const whenFalse = this.#nested(() => this.#expression());
    return { kind: 'conditional', test, whenTrue, whenFalse, at: test.at };
  }

  #binary(weakest: number): Expression {
    let left = this.#unary();
    for (;;) {
      const token = this.#peek();
      const operator = binaryOperator(token);
      if (!operator || BINDING[operator] <= weakest) {
        return left;
      }
      this.#count(token);
      this.#next += 1;
      const right = operator === 'in' ? this.#listOperand(left) : this.#binary(BINDING[operator]);
      left = { kind: 'binary', operator, left, right, at: token.at };
    }
  }

  /**
   * What follows `in`. Casbin binds `in` more weakly than `&&` and `==`, so that
   * `r.sub in [..] && x` would look for `r.sub` in the value of `[..] && x`: never what was meant.
   */
  #listOperand(left: Expression): Expression {
    if (left.kind === 'binary' && left.operator === '||' && !this.#grouped.has(left)) {
      throw new ExpressionError(
        left.at,
        'Casbin reads `a || b in c` as `(a || b) in c`; put parentheses around the part with `in`',
      );
    }
    const right = isSign(this.#peek(), '(') ? this.#tupleOrGroup() : this.#unary();
    const after = binaryOperator(this.#peek());
    if (after && BINDING[after] > BINDING.in) {
      throw new ExpressionError(
        this.#peek().at,
        `Casbin reads \`a in b ${after} c\` as \`a in (b ${after} c)\`; put parentheses around the part with \`in\``,
      );
    }
    return right;
  }

  /** After `in`: `(a, b)` is Casbin's own way to write a list, `(a)` a plain group. */
  #tupleOrGroup(): Expression {
    const open = this.#peek();
    this.#next += 1;
    const first = this.#nested(() => this.#expression());
    if (!isSign(this.#peek(), ',')) {
      this.#closeGroup(first);
      return first;
    }
    const items = [first];
    while (this.#takeSign(',')) {
      items.push(this.#nested(() => this.#expression()));
    }
    const close = this.#peek();
    this.#expectSign(')');
    this.#refuseAfterGroup();
    this.#tuples.set(open.at, close.at);
    return { kind: 'list', items, at: open.at };
  }

  #unary(): Expression {
    const token = this.#peek();
    if (
      token.kind === 'sign' &&
      (token.value === '!' || token.value === '-' || token.value === '+')
    ) {
      const operator = token.value;
      this.#count(token);
      this.#next += 1;
      const operand = this.#nested(() => this.#unary());
      return { kind: 'unary', operator, operand, at: token.at };
    }
    return this.#primary();
  }

  #primary(): Expression {
    const token = this.#peek();
    this.#next += 1;
    if (token.kind === 'number' || token.kind === 'text') {
      return { kind: 'literal', value: token.value, at: token.at };
    }
    if (token.kind === 'name') {
      return this.#named(token.value, token);
    }
    if (isSign(token, '(')) {
      const inner = this.#nested(() => this.#expression());
      this.#closeGroup(inner);
      return inner;
    }
    if (isSign(token, '[')) {
      return { kind: 'list', items: this.#arguments(']'), at: token.at };
    }
    this.#next -= 1;
    return this.#refuse(token);
  }

  #named(name: string, token: Token): Expression {
    if (name === 'true' || name === 'false') {
      return { kind: 'literal', value: name === 'true', at: token.at };
    }
    if (name === 'null') {
      return { kind: 'literal', value: null, at: token.at };
    }
    const after = this.#peek();
    // A call of `this` would be one of a value, as jsep reads it.
    if (isSign(after, '(') && name !== 'this') {
      this.#next += 1;
      return { kind: 'call', name, args: this.#arguments(')'), at: token.at };
    }
    if ((name === 'r' || name === 'p') && isSign(after, '.')) {
      return this.#reference(name, token);
    }
    throw new ExpressionError(token.at, unknownName(name));
  }

  #reference(of: 'r' | 'p', token: Token): Expression {
    const before = this.#text.charAt(token.at - 1);
    if (token.at > 0 && !BEFORE_TOKEN.test(before)) {
      throw new ExpressionError(
        token.at,
        `put a space between \`${before}\` and \`${of}.\`: Casbin does not know the token otherwise`,
      );
    }
    const names: string[] = [];
    while (isSign(this.#peek(), '.')) {
      this.#next += 1;
      names.push(this.#memberName(names.length));
    }
    const after = this.#peek();
    if (isSign(after, '(')) {
      throw new ExpressionError(
        after.at,
        `\`${of}.${names.join('.')}(\` calls a member; only Casbin's named functions can be called`,
      );
    }
    if (isSign(after, '[')) {
      throw new ExpressionError(after.at, 'computed members cannot be read; write `.name`');
    }
    const [name = '', ...members] = names;
    return { kind: 'token', of, name, members, at: token.at };
  }

  #memberName(depth: number): string {
    const token = this.#peek();
    const dot = this.#tokens[this.#next - 1];
    const owner = this.#tokens[this.#next - 2];
    if (token.kind !== 'name' || dot?.end !== token.at || owner?.end !== dot.at) {
      throw new ExpressionError(token.at, 'a name must follow the `.` at once');
    }
    // node-casbin refuses these names, and more that merely end or begin so, when it evaluates.
    // The first name is no word by itself: Casbin makes `r_true` of `r.true`.
    if (depth > 0 && WORDS_OF_VALUES.has(token.value)) {
      throw new ExpressionError(
        token.at,
        `the member \`${token.value}\` cannot be read: Casbin takes the word for a value; send it by another name`,
      );
    }
    if (!isReadableName(token.value)) {
      throw new ExpressionError(token.at, `the member \`${token.value}\` cannot be read`);
    }
    this.#next += 1;
    return token.value;
  }

  #arguments(end: ')' | ']'): readonly Expression[] {
    const items: Expression[] = [];
    if (this.#takeSign(end)) {
      return items;
    }
    do {
      items.push(this.#nested(() => this.#expression()));
    } while (this.#takeSign(','));
    this.#expectSign(end);
    this.#refuseAfterGroup();
    return items;
  }

  #closeGroup(inner: Expression): void {
    this.#expectSign(')');
    this.#grouped.add(inner);
    this.#refuseAfterGroup();
  }

  #refuseAfterGroup(): void {
    const after = this.#peek();
    if (isSign(after, '.') || isSign(after, '[') || isSign(after, '(')) {
      throw new ExpressionError(
        after.at,
        `\`${after.value}\` cannot follow here: only \`r.name.member\` reads members`,
      );
    }
  }

  #nested(parse: () => Expression): Expression {
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) {
      throw new ExpressionError(
        this.#peek().at,
        `the expression is nested more than ${MAX_DEPTH} deep`,
      );
    }
    const expression = parse();
    this.#depth -= 1;
    return expression;
  }

  #count(token: Token): void {
    this.#operators += 1;
    if (this.#operators > MAX_OPERATORS) {
      throw new ExpressionError(
        token.at,
        `the expression has more than ${MAX_OPERATORS} operators`,
      );
    }
  }

  #peek(): Token {
    // The last token is `end`, and nothing moves past it.
    return (
      this.#tokens[this.#next] ?? {
        kind: 'end',
        value: '',
        at: this.#text.length,
        end: this.#text.length,
      }
    );
  }

  #takeSign(sign: string): boolean {
    if (isSign(this.#peek(), sign)) {
      this.#next += 1;
      return true;
    }
    return false;
  }

  #expectSign(sign: string): void {
    if (!this.#takeSign(sign)) {
      const token = this.#peek();
      throw new ExpressionError(
        token.at,
        token.kind === 'end'
          ? `\`${sign}\` is missing at the end`
          : `expected \`${sign}\`, found \`${token.value}\``,
      );
    }
  }

  #refuse(token: Token): never {
    throw new ExpressionError(
      token.at,
      token.kind === 'end'
        ? 'the expression ends too early'
        : `\`${token.value}\` has no place here`,
    );
  }
}

function binaryOperator(token: Token): BinaryOperator | undefined {
  const isOperator =
    (token.kind === 'sign' && token.value in BINDING) ||
    (token.kind === 'name' && token.value === 'in');
  return isOperator ? (token.value as BinaryOperator) : undefined;
}

function isSign(token: Token, sign: string): boolean {
  return token.kind === 'sign' && token.value === sign;
}

function unknownName(name: string): string {
  if (/^[rp][0-9]+$/.test(name)) {
    return `\`${name}\` belongs to a second section, which is not supported; use \`r\` and \`p\` alone`;
  }
  if (/^[rp]_/.test(name)) {
    return `write \`${name.replace('_', '.')}\` instead of \`${name}\``;
  }
  return `\`${name}\` is not known here; read \`r.…\` and \`p.…\`, put text into quotes`;
}
