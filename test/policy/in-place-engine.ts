import type { EngineBuilder } from '../../src/engine/create-engine.js';
import type { Engine, RuleDifference } from '../../src/engine/engine.js';
import type { Model } from '../../src/engine/model.js';
import { createReferenceEngine } from '../../src/engine/reference-engine.js';
import { done } from '../../src/platform/turns.js';
import type { RuleLine } from '../../src/vocabulary.js';

/** An engine that shows the rules that it holds, in its order. */
export interface OpenEngine extends Engine {
  readonly lines: readonly RuleLine[];
}

/**
 * Begins an engine that takes every change in place, the plainest way there is: by the reference
 * engine over a list. What an increment should come to, and no more.
 */
export function buildInPlaceEngine(model: Model): EngineBuilder {
  const rules: RuleLine[] = [];
  return {
    add: (line) => void rules.push(line),
    building: () => done(inPlaceEngine(model, rules)),
  };
}

function inPlaceEngine(model: Model, rules: readonly RuleLine[]): OpenEngine {
  const held = new Map(rules.map((line) => [JSON.stringify(line), line]));
  let engine = createReferenceEngine(model, held.values());
  return {
    name: 'in place',
    parts: engine.parts,
    get size() {
      return held.size;
    },
    get lines() {
      return [...held.values()];
    },
    decide: (check) => engine.decide(check),
    rolesOf: (check) => engine.rolesOf(check),
    isRole: (name, tenant) => engine.isRole(name, tenant),
    subjectIsRole: (check) => engine.subjectIsRole(check),
    apply({ added, removed }: RuleDifference) {
      for (const line of removed) held.delete(JSON.stringify(line));
      for (const line of added) {
        if (!held.has(JSON.stringify(line))) held.set(JSON.stringify(line), line);
      }
      engine = createReferenceEngine(model, held.values());
      return true;
    },
    // oxlint-disable-next-line require-yield
    *preparing(difference) {
      return { commit: () => void this.apply(difference), tidying: () => done(undefined) };
    },
  };
}
