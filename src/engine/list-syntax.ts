import type { ExpressionFault } from './tokenizer.js';

const GROUP = / \([^)]*\)/g;

/**
 * Casbin lets authors write a list as `in (a, b)` by replacing text: as soon as ` in ` and ` (`
 * occur, every ` (…)` with a comma inside becomes `[…]`, wherever it stands. An expression is
 * accepted only where that replaces exactly the lists that were meant as such.
 *
 * @param tuples opening to closing offset of every `in (a, b)` that was parsed
 */
export function listFault(
  text: string,
  tuples: ReadonlyMap<number, number>,
): ExpressionFault | undefined {
  const replaced = new Map(replacedGroups(text));
  for (const [open, close] of tuples) {
    if (replaced.get(open) !== close) {
      return {
        at: open,
        message: "Casbin would not read this as a list; write it as `['a', 'b']`",
      };
    }
  }
  for (const open of replaced.keys()) {
    if (!tuples.has(open)) {
      return {
        at: open,
        message:
          'Casbin would read this as a list because ` in ` occurs in the expression; remove the space before `(`',
      };
    }
  }
  return undefined;
}

/** A condition's place in a matcher, as `ModelDefinitions.matcherText` has it. */
const EVAL = /\beval\(\s*p[._](\w+)\s*\)/g;

/**
 * Whether Casbin finds the lists that are meant where it puts the conditions of a rule into the matcher,
 * each in parentheses, and replaces what looks like lists in all of that: behind a space those around a
 * condition look like one, too.
 */
export function hasListsAsMeant(
  matcherText: string,
  conditionOf: (field: string) => string,
): boolean {
  const put = (text: string, written: (condition: string) => string): string =>
    text.replace(EVAL, (_, field: string) => `(${written(conditionOf(field))})`);
  const asRead = withLists(put(matcherText, (condition) => condition));
  return asRead === put(withLists(matcherText), withLists);
}

/** The text as Casbin reads it. */
function withLists(text: string): string {
  const units = text.split('');
  for (const [open, close] of replacedGroups(text)) {
    units[open] = '[';
    units[close] = ']';
  }
  return units.join('');
}

function* replacedGroups(text: string): Generator<[open: number, close: number]> {
  if (!text.includes(' in ') || !text.includes(' (')) {
    return;
  }
  for (const match of text.matchAll(GROUP)) {
    if (match[0].includes(',')) {
      yield [match.index + 1, match.index + match[0].length - 1];
    }
  }
}
