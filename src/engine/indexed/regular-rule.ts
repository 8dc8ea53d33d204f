import type { RuleLine } from '../../vocabulary.js';
import { within } from '../check-expression.js';
import type { ModelDefinitions } from '../definitions.js';

/** Functions that take whatever text as a pattern. */
const UNDEMANDING: ReadonlySet<string> = new Set(['keyMatch', 'keyGet']);
/** Patterns whose faults are remembered; then all are forgotten. */
const MAX_REMEMBERED = 50_000;

/**
 * Tells whether a `p` rule is as an index supposes rules to be: it has a value for each field and no
 * more, and where a function reads a pattern, that is one.
 */
export function regularityTest(model: ModelDefinitions): (line: RuleLine) => boolean {
  const checks = patternChecks(model);
  const width = model.policyTokens.length;
  return (line) =>
    line.length === width + 1 && checks.every(({ field, accepts }) => accepts(line[field] ?? ''));
}

interface PatternCheck {
  /** The index in the line, whose type is 0. */
  readonly field: number;
  accepts(pattern: string): boolean;
}

function patternChecks(model: ModelDefinitions): readonly PatternCheck[] {
  const checks = new Map<string, PatternCheck>();
  for (const part of within(model.matcher)) {
    if (part.kind !== 'call' || UNDEMANDING.has(part.name)) continue;
    const named = model.functions.get(part.name);
    const pattern = part.args[1];
    if (!named || pattern?.kind !== 'token' || pattern.of !== 'p') continue;
    checks.set(`${part.name} ${pattern.name}`, {
      field: model.policyTokens.indexOf(pattern.name) + 1,
      accepts: remembering((text) => named.patternFault(text) === undefined),
    });
  }
  return [...checks.values()];
}

function remembering(test: (text: string) => boolean): (text: string) => boolean {
  const known = new Map<string, boolean>();
  return (text) => {
    const remembered = known.get(text);
    if (remembered !== undefined) return remembered;
    const found = test(text);
    if (known.size >= MAX_REMEMBERED) known.clear();
    known.set(text, found);
    return found;
  };
}
