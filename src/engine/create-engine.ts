import { atOnce, type Work } from '../platform/turns.js';
import type { RuleLine } from '../vocabulary.js';
import type { Engine } from './engine.js';
import { createIndexedEngine } from './indexed/indexed-engine.js';
import type { Model } from './model.js';
import { createReferenceEngine } from './reference-engine.js';

/** Takes the rules of an engine one by one, so that a million of them need not hold the event loop. */
export interface EngineBuilder {
  /** Takes the next rule in rank order, in constant time. */
  add(line: RuleLine): void;
  /** The engine, once; nothing may be added afterwards. */
  building(): Work<Engine>;
}

/**
 * Begins an engine for a model: the indexed one, or the reference engine where the rules turn out to
 * hold what cannot be indexed.
 */
export function buildEngine(model: Model): EngineBuilder {
  const indexed = createIndexedEngine(model);
  let rules: RuleLine[] | undefined;
  return {
    add(line) {
      if (rules === undefined && indexed.load(line)) return;
      rules ??= [...indexed.lines()];
      rules.push(line);
    },
    *building() {
      if (rules !== undefined) return createReferenceEngine(model, rules);
      yield* indexed.loaded();
      return indexed;
    },
  };
}

/** The engine of a model and its rules, in rank order. */
export function createEngine(model: Model, rules: Iterable<RuleLine>): Engine {
  const builder = buildEngine(model);
  for (const line of rules) builder.add(line);
  return atOnce(builder.building());
}
