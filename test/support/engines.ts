import { buildEngine, type EngineBuilder } from '../../src/engine/create-engine.js';
import type { Engine } from '../../src/engine/engine.js';
import type { Model } from '../../src/engine/model.js';
import { createReferenceEngine } from '../../src/engine/reference-engine.js';
import { atOnce, done } from '../../src/platform/turns.js';
import type { RuleLine } from '../../src/vocabulary.js';

/** One of the two engines. */
export interface EngineKind {
  readonly name: Engine['name'];
  /** Begins an engine: this one, whatever the model. */
  begin(model: Model): EngineBuilder;
}

/** The engine that servers have, and node-casbin, which must decide the same. */
export const ENGINES: readonly EngineKind[] = [
  { name: 'indexed', begin: buildEngine },
  { name: 'reference', begin: buildReferenceEngine },
];

/** The engine of this kind with these rules, in rank order. */
export function engineWith({ begin }: EngineKind, model: Model, rules: Iterable<RuleLine>): Engine {
  const builder = begin(model);
  for (const line of rules) builder.add(line);
  return atOnce(builder.building());
}

function buildReferenceEngine(model: Model): EngineBuilder {
  const rules: RuleLine[] = [];
  return {
    add: (line) => void rules.push(line),
    building: () => done(createReferenceEngine(model, rules)),
  };
}
