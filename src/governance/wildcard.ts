/** Whether a text fits a pattern. */
export type TextMatcher = (text: string) => boolean;

/** Whether a pattern fits more texts than the one that it spells. */
export function isWild(pattern: string): boolean {
  return pattern.includes('*');
}

/** Whether a pattern fits every text: one of nothing but `*`. */
export function isBoundless(pattern: string): boolean {
  return /^\*+$/.test(pattern);
}

/**
 * Compiles a pattern in which `*` stands for any run of characters, none included; everything else
 * stands for itself. Without backtracking: each piece between two `*` is looked for once, from left
 * to right, which finds a fit wherever there is one.
 *
 * @example
 * compileWildcard('db:*')('db:drop'); // true
 */
export function compileWildcard(pattern: string): TextMatcher {
  const [prefix = '', ...rest] = pattern.split('*');
  const suffix = rest.pop();
  if (suffix === undefined) return (text) => text === pattern;
  const pieces = rest.filter((piece) => piece !== '');
  if (pieces.length === 0) return endsMatcher(prefix, suffix);
  const least = prefix.length + suffix.length;
  return (text) => {
    if (text.length < least || !text.startsWith(prefix) || !text.endsWith(suffix)) return false;
    const end = text.length - suffix.length;
    let from = prefix.length;
    for (const piece of pieces) {
      const found = text.indexOf(piece, from);
      if (found < 0 || found + piece.length > end) return false;
      from = found + piece.length;
    }
    return true;
  };
}

/** Patterns with one `*`: nearly all that people write. */
function endsMatcher(prefix: string, suffix: string): TextMatcher {
  if (suffix === '') return prefix === '' ? () => true : (text) => text.startsWith(prefix);
  if (prefix === '') return (text) => text.endsWith(suffix);
  const least = prefix.length + suffix.length;
  return (text) => text.length >= least && text.startsWith(prefix) && text.endsWith(suffix);
}

/** Compiles a list of patterns of which any may fit; an empty one fits nothing. */
export function compileAnyOf(patterns: readonly string[]): TextMatcher {
  const fitting = patterns.filter(isWild).map(compileWildcard);
  const exact = new Set(patterns.filter((pattern) => !isWild(pattern)));
  if (exact.size > 1) fitting.unshift((text) => exact.has(text));
  else fitting.unshift(...[...exact].map(compileWildcard));

  const [only, ...others] = fitting;
  if (only === undefined) return () => false;
  if (others.length === 0) return only;
  return (text) => {
    for (const fits of fitting) if (fits(text)) return true;
    return false;
  };
}
