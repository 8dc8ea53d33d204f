/** Something wrong in an expression: the offset where, and what to do about it. */
export interface ExpressionFault {
  readonly at: number;
  readonly message: string;
}

/** Thrown inside the parser, caught at its entry: nothing of it leaves this folder. */
export class ExpressionError extends Error {
  readonly at: number;

  constructor(at: number, message: string) {
    super(message);
    this.at = at;
  }
}

/**
 * Where the expression stands. node-casbin rewrites the two kinds of text differently before it
 * parses them, so what a text literal may hold differs too.
 */
export type ExpressionPlace = 'matcher' | 'rule value';

/** One lexical token: offsets are in UTF-16 units, `end` exclusive. */
export type Token =
  | { readonly kind: 'text' | 'name' | 'sign'; readonly value: string; at: number; end: number }
  | { readonly kind: 'number'; readonly value: number; at: number; end: number }
  | { readonly kind: 'end'; readonly value: ''; at: number; end: number };

const SIGNS = /===|!==|&&|\|\||==|!=|<=|>=|[<>+\-*/%!()[\],.?:]/y;
const NUMBER = /\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const NAME = /[A-Za-z_][A-Za-z0-9_]*/y;
const BLANKS = /[ \t\r\n]*/y;
const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  b: '\b',
  f: '\f',
  v: '\v',
};
/** node-casbin's `escapeAssertion`: what it would rewrite inside a literal that it does not protect. */
const REWRITTEN = /(?:[()\s|&,=!><+\-*/]|^)[rp][0-9]*\./;
/** What node-casbin's model reader refuses anywhere in a matcher, literals included. */
const LONE_OPERATOR = /(?<![&|])&(?!&)|(?<![&|])\|(?!\|)|&{3,}|\|{3,}/;

/** Splits an expression into tokens, the last one `end`. Throws ExpressionError at the first fault. */
export function tokenize(text: string, place: ExpressionPlace): readonly Token[] {
  const tokens: Token[] = [];
  let at = matchAt(BLANKS, text, 0).length;
  while (at < text.length) {
    const token = readToken(text, at, place);
    tokens.push(token);
    at = token.end + matchAt(BLANKS, text, token.end).length;
  }
  tokens.push({ kind: 'end', value: '', at: text.length, end: text.length });
  return tokens;
}

function readToken(text: string, at: number, place: ExpressionPlace): Token {
  const first = text.charAt(at);
  if (first === '"' || first === "'") {
    return readText(text, at, place);
  }
  const name = matchAt(NAME, text, at);
  if (name !== '') {
    return { kind: 'name', value: name, at, end: at + name.length };
  }
  if (/[0-9]/.test(first)) {
    return readNumber(text, at);
  }
  const sign = matchAt(SIGNS, text, at);
  if (sign !== '') {
    return { kind: 'sign', value: sign, at, end: at + sign.length };
  }
  throw new ExpressionError(at, unexpected(text, at));
}

function readNumber(text: string, at: number): Token {
  const digits = matchAt(NUMBER, text, at);
  const end = at + digits.length;
  if (/[A-Za-z0-9_.$\u0080-\uffff]/.test(text.charAt(end))) {
    throw new ExpressionError(
      end,
      `\`${text.charAt(end)}\` cannot follow the number \`${digits}\``,
    );
  }
  return { kind: 'number', value: Number(digits), at, end };
}

function readText(text: string, at: number, place: ExpressionPlace): Token {
  const quote = text.charAt(at);
  let value = '';
  for (let i = at + 1; i < text.length; i++) {
    const char = text.charAt(i);
    if (char === quote) {
      const end = i + 1;
      refuseRewritten(text.slice(at, end), at, place);
      return { kind: 'text', value, at, end };
    }
    if (char === '"' || char === "'") {
      if (quote === "'" || place === 'rule value') {
        throw new ExpressionError(i, 'a text literal cannot hold another kind of quote');
      }
    }
    if (char !== '\\') {
      value += char;
      continue;
    }
    i += 1;
    const escaped = text.charAt(i);
    if (escaped === '"' || escaped === "'") {
      throw new ExpressionError(i, 'a text literal cannot hold an escaped quote');
    }
    value += ESCAPES[escaped] ?? escaped;
  }
  throw new ExpressionError(
    at,
    place === 'matcher'
      ? `the text that starts with \`${quote}\` has no end; in a model \`#\` and \`;\` start a comment, even inside quotes`
      : `the text that starts with \`${quote}\` has no end`,
  );
}

/**
 * Casbin rewrites its expressions as text before it parses them: `r.` becomes `r_`, replacement
 * patterns such as `$&` are expanded, a lone `&` or `|` is refused. Whatever such a rewriting would
 * do to a literal would change its meaning for a stock Casbin, so these literals are refused.
 */
function refuseRewritten(literal: string, at: number, place: ExpressionPlace): void {
  const protectedFromDots = place === 'matcher' && literal.startsWith('"');
  if (!protectedFromDots && REWRITTEN.test(literal)) {
    throw new ExpressionError(
      at,
      `Casbin would rewrite \`r.\` or \`p.\` inside the text ${literal}; ${place === 'matcher' ? 'use double quotes' : 'write it without the dot'}`,
    );
  }
  if (/\$[$&`']/.test(place === 'matcher' ? literal.slice(0, -1) : literal)) {
    throw new ExpressionError(at, `Casbin would rewrite \`$\` inside the text ${literal}`);
  }
  if (place === 'matcher' && LONE_OPERATOR.test(literal)) {
    throw new ExpressionError(
      at,
      `Casbin refuses a single \`&\` or \`|\` in a matcher, even inside the text ${literal}; move it into a rule`,
    );
  }
}

function unexpected(text: string, at: number): string {
  const char = String.fromCodePoint(text.codePointAt(at) ?? 0);
  if (char === '=') {
    return '`=` would assign; compare with `==`';
  }
  if (char === '&' || char === '|') {
    return `\`${char}\` is no operator here; write \`${char}${char}\``;
  }
  return `\`${char}\` has no place in an expression`;
}

function matchAt(pattern: RegExp, text: string, at: number): string {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? '';
}
