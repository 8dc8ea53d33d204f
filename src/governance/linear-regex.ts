import { RE2JS } from 're2js';

/** A pattern of RE2's syntax, compiled once. `matches` looks anywhere in the text. */
export interface LinearPattern {
  readonly source: string;
  /** What a character costs, next to one of a plain pattern: 1 or more. */
  readonly weight: number;
  matches(text: string): boolean;
}

/** Longest pattern that is taken. */
const MAX_LENGTH = 1_000;
/** Largest program that is taken: counted repetitions grow one far beyond its text. */
const MAX_SIZE = 1_000;
/** A character may cost a step for each instruction; so many are as good as one. */
const PLAIN_SIZE = 20;

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
    const size = compiled.programSize();
    if (size > MAX_SIZE) return { fault: `\`${source}\` is too large; repeat less in it` };
    const weight = Math.ceil(size / PLAIN_SIZE);
    return { source, weight, matches: (text) => compiled.test(text) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { fault: `\`${source}\` is no RE2 regular expression: ${reason}` };
  }
}
