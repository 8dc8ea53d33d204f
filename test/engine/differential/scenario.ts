import fc from 'fast-check';
import type { RuleDifference } from '../../../src/engine/engine.js';
import type { Check, RuleLine } from '../../../src/vocabulary.js';
import { checks } from './checks.js';
import { type ModelKind, type ModelSource, models } from './models.js';
import { rules, ruleSets } from './rules.js';

/** A policy and what is asked of it; with changes, asked again after each. */
export interface Scenario {
  readonly source: ModelSource;
  /** Whether some rules may be such as no bundle may hold. */
  readonly mayBeFaulty: boolean;
  /** In rank order. */
  readonly lines: readonly RuleLine[];
  readonly checks: readonly Check[];
  readonly changes: readonly RuleDifference[];
}

/** How much a scenario asks. */
export interface ScenarioSize {
  readonly checks: number;
  /** How many changes follow each other; none unless given. */
  readonly changes?: number;
  /** Whether all rules are such as a bundle may hold. */
  readonly clean?: boolean;
}

/** Scenarios around models of a kind. A third of the policies hold what no bundle may, unless clean. */
export function scenarios(kind: ModelKind, size: ScenarioSize): fc.Arbitrary<Scenario> {
  return fc
    .tuple(models(kind), size.clean ? fc.constant(false) : fc.constantFrom(false, false, true))
    .chain(([source, mayBeFaulty]) => {
      const lines = ruleSets(source.model, { mayBeFaulty });
      return lines.chain((drawn) => {
        // Where rules change they are told apart by what they say, so each is held once.
        const held = size.changes === undefined ? drawn : once(drawn);
        return fc.record({
          source: fc.constant(source),
          mayBeFaulty: fc.constant(mayBeFaulty),
          lines: fc.constant(held),
          checks: fc.array(checks(source.model, held), exactly(size.checks)),
          changes: changesOf(source, held, mayBeFaulty, size.changes ?? 0),
        });
      });
    });
}

/** The rules after a change, by rank: what the contract of `apply` says. */
export function changed(
  lines: readonly RuleLine[],
  { added, removed }: RuleDifference,
): readonly RuleLine[] {
  const gone = new Set(removed.map(keyOf));
  return once([...lines.filter((line) => !gone.has(keyOf(line))), ...added]);
}

function changesOf(
  { model }: ModelSource,
  lines: readonly RuleLine[],
  mayBeFaulty: boolean,
  count: number,
): fc.Arbitrary<readonly RuleDifference[]> {
  const fresh = rules(model, { mayBeFaulty });
  // Of the first rules too, so that what was there comes and goes and comes again.
  const known = lines.length === 0 ? fresh : fc.oneof(fc.constantFrom(...lines), fresh);
  const few = (line: fc.Arbitrary<RuleLine>) => fc.array(line, { maxLength: 3, size: 'max' });
  return fc.array(fc.record({ added: few(known), removed: few(known) }), exactly(count));
}

function once(lines: readonly RuleLine[]): readonly RuleLine[] {
  return [...new Map(lines.map((line) => [keyOf(line), line])).values()];
}

function keyOf(line: RuleLine): string {
  return JSON.stringify(line);
}

function exactly(length: number): { minLength: number; maxLength: number; size: 'max' } {
  return { minLength: length, maxLength: length, size: 'max' };
}
