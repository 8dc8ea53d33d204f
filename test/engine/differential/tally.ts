import type { Engine, EngineAnswer } from '../../../src/engine/engine.js';
import { within } from '../../../src/engine/check-expression.js';
import type { Scenario } from './scenario.js';

/** What the cases of a run were like: a generator that asks nothing of weight must be noticed. */
export class Tally {
  comparisons = 0;
  scenarios = 0;
  changesTaken = 0;
  changesRefused = 0;
  /** Comparisons by what the answer was. */
  readonly answers = new Map<string, number>();
  /** Answers by the effect of the model: `priority: allow`. */
  readonly effects = new Map<string, number>();
  /** Answers by each function and role relation that the matcher calls: `keyMatch: allow`. */
  readonly functions = new Map<string, number>();
  /** Engines by how they find their rules: one for each kind of handling that they have a part of. */
  readonly handlings = new Map<string, number>();
  /** Engines by their name. */
  readonly engines = new Map<string, number>();
  #effect = '';
  #called: readonly string[] = [];

  meet({ source: { model } }: Scenario, { name, parts }: Engine): void {
    this.scenarios += 1;
    count(this.engines, name);
    this.#effect = model.effect;
    const called = [...within(model.matcher)].flatMap((part) =>
      part.kind === 'call' ? [part.name] : [],
    );
    this.#called = [...new Set(called)];
    for (const handling of new Set(parts.map((part) => part.handling))) {
      count(this.handlings, handling);
    }
  }

  compare(answer: EngineAnswer): void {
    this.comparisons += 1;
    const word = wordOf(answer);
    count(this.answers, word);
    count(this.effects, `${this.#effect}: ${word}`);
    for (const name of this.#called) count(this.functions, `${name}: ${word}`);
  }

  /** Counts a change of rules; rows that no bundle may hold may well need a new engine. */
  change({ mayBeFaulty }: Scenario, isTaken: boolean): void {
    if (mayBeFaulty) return;
    if (isTaken) this.changesTaken += 1;
    else this.changesRefused += 1;
  }
}

function wordOf(answer: EngineAnswer): string {
  if (answer.effect !== 'deny') return answer.effect;
  return answer.explicit ? 'explicit deny' : 'no match';
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
