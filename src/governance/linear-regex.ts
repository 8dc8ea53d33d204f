import { RE2JS } from 're2js';

/** A pattern of RE2's syntax, compiled once. `matches` looks anywhere in the text. */
export interface LinearPattern {
  readonly source: string;
  matches(text: string): boolean;
}

/** Longest pattern that is taken; counted repetitions grow a program far beyond its text. */
const MAX_LENGTH = 1_000;

/**
 * Compiles a regular expression for an engine without backtracking: time grows with the length of
 * the text alone, whatever the pattern. `fault` says what is wrong, and where in the pattern if that
 * is known.
 */
export function compilePattern(source: string): LinearPattern | { readonly fault: string } {
  if (source.length > MAX_LENGTH) {
    return {
      fault: `the pattern has ${source.length} characters; at most ${MAX_LENGTH} are taken`,
    };
  }
  try {
    const compiled = RE2JS.compile(source);
    return { source, matches: (text) => compiled.matcher(text).find() };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { fault: `\`${source}\` is no RE2 regular expression: ${reason}` };
  }
}
