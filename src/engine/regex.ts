import { RE2JS } from 're2js';

/** A compiled regular expression that takes time linear in its input, whatever its pattern. */
export type LinearRegex = RE2JS;

const MAX_LENGTH = 1000;
/** JavaScript's `\s`; RE2's knows ASCII only. */
const SPACE =
  '\\t-\\r \\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}\\x{feff}';
const CONTROLS: Readonly<Record<string, string>> = {
  t: '\\t',
  n: '\\n',
  r: '\\r',
  f: '\\f',
  v: '\\x{0b}',
};

/**
 * Compiles a JavaScript pattern (no flags) for RE2, which has no backtracking, so that no request can
 * make it run long. Accepted are the patterns that mean the same to both; what only one of them knows
 * (look-around, back references, `(?i)`, `\pL`, `[[:alpha:]]`) is refused. A character outside the
 * basic plane counts as one here, where JavaScript counts two.
 *
 * @throws Error with a message for the author
 */
export function compileRegex(pattern: string): LinearRegex {
  if (pattern.length > MAX_LENGTH) {
    throw new Error(`the pattern is longer than ${MAX_LENGTH} characters`);
  }
  try {
    void new RegExp(pattern);
  } catch (error) {
    throw new Error(`\`${pattern}\` is no regular expression`, { cause: error });
  }
  const translated = new Translator(pattern).translate();
  try {
    return RE2JS.compile(translated);
  } catch (error) {
    throw new Error(
      `\`${pattern}\` is no regular expression that can be run in linear time; repeat at most 1000 times`,
      { cause: error },
    );
  }
}

/** Rewrites a pattern that JavaScript accepts into RE2's dialect, part by part. */
class Translator {
  readonly #pattern: string;
  #at = 0;

  constructor(pattern: string) {
    this.#pattern = pattern;
  }

  translate(): string {
    let translated = '';
    while (this.#at < this.#pattern.length) {
      translated += this.#part();
    }
    return translated;
  }

  #part(): string {
    const char = this.#take();
    switch (char) {
      case '\\':
        return this.#escape(false);
      case '[':
        return this.#charClass();
      case '.':
        return '[^\\n\\r\\x{2028}\\x{2029}]';
      case '(':
        return this.#group();
      default:
        return char;
    }
  }

  #group(): string {
    if (this.#pattern.charAt(this.#at) !== '?') {
      return '(';
    }
    if (/^\?(?::|<[A-Za-z_])/.test(this.#pattern.slice(this.#at))) {
      return '(';
    }
    throw new Error(
      `\`(?${this.#pattern.charAt(this.#at + 1)}\` in \`${this.#pattern}\` is not supported; use plain groups`,
    );
  }

  #charClass(): string {
    let inside = '[';
    if (this.#pattern.charAt(this.#at) === '^') {
      inside += this.#take();
    }
    if (this.#pattern.charAt(this.#at) === ']') {
      throw new Error(`\`[]\` and \`[^]\` in \`${this.#pattern}\` are not supported`);
    }
    // JavaScript compiled the pattern, so the class has an end.
    for (;;) {
      const char = this.#take();
      if (char === ']' || char === '') {
        return `${inside}]`;
      }
      if (char === '-' && /[wWdDsS]/.test(this.#classAround())) {
        throw new Error(
          `\`-\` beside a class such as \`\\d\` in \`${this.#pattern}\` is not supported; write \`\\-\``,
        );
      }
      inside += char === '[' ? '\\[' : char === '\\' ? this.#escape(true) : char;
    }
  }

  /** The letters of the class escapes directly before and after the `-` just taken. */
  #classAround(): string {
    const before = /\\([wWdDsS])$/.exec(this.#pattern.slice(0, this.#at - 1))?.[1] ?? '';
    const after = /^\\([wWdDsS])/.exec(this.#pattern.slice(this.#at))?.[1] ?? '';
    return before + after;
  }

  #escape(inClass: boolean): string {
    const char = this.#take();
    if (char === 's') {
      return inClass ? SPACE : `[${SPACE}]`;
    }
    if (char === 'S' && !inClass) {
      return `[^${SPACE}]`;
    }
    if (/[dDwW]/.test(char) || (/[bB]/.test(char) && !inClass)) {
      return `\\${char}`;
    }
    if (char === 'x' || char === 'u') {
      return this.#codeUnit(char);
    }
    const control = CONTROLS[char];
    if (control !== undefined) {
      return control;
    }
    if (/[A-Za-z0-9]/.test(char)) {
      throw new Error(`\`\\${char}\` in \`${this.#pattern}\` is not supported`);
    }
    // RE2 escapes ASCII punctuation alone; any other character stands for itself.
    return /[!-/:-@[-`{-~]/.test(char) ? `\\${char}` : char;
  }

  #codeUnit(kind: 'x' | 'u'): string {
    const hex = (kind === 'x' ? /^[0-9A-Fa-f]{2}/ : /^[0-9A-Fa-f]{4}/).exec(
      this.#pattern.slice(this.#at),
    )?.[0];
    if (hex === undefined || /^[dD][89a-fA-F]/.test(hex.padStart(5, '0').slice(1))) {
      throw new Error(`\`\\${kind}\` in \`${this.#pattern}\` is not supported`);
    }
    this.#at += hex.length;
    return `\\x{${hex}}`;
  }

  #take(): string {
    const char = this.#pattern.charAt(this.#at);
    this.#at += 1;
    return char;
  }
}
