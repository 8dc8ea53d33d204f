import assert from 'node:assert/strict';
import { createEngine } from '../../../src/engine/create-engine.js';
import { BUILTINS, EFFECTS } from './alphabet.js';
import { assertSame } from './run.js';
import { Tally } from './tally.js';

/** Fixed, so that a failure can be repeated; `npm run fuzz` draws others. */
const SEED = 20_260_101;
const KINDS = EFFECTS.flatMap((effect) => [
  { effect, hasTenant: true },
  { effect, hasTenant: false },
]);

/**
 * The proof that the engine which finds its rules by an index answers as node-casbin does. A comparison
 * is one check, answered by both and held against each other whole: effect, explaining rule, message
 * of an error, and the roles of its subject.
 */
describe('the engine against node-casbin, in policies drawn at random', function () {
  this.timeout(120_000);
  const tally = new Tally();

  for (const [index, kind] of KINDS.entries()) {
    const under = `under ${kind.effect} ${kind.hasTenant ? 'with' : 'without'} tenants`;
    it(`answers the same ${under}`, () => {
      const run = { kind, size: { checks: 80 }, count: 40, seed: SEED + index };
      assertSame(run, createEngine, tally);
    });

    it(`answers the same ${under} after each change of the rules`, () => {
      const run = { kind, size: { checks: 15, changes: 8 }, count: 16, seed: SEED - index };
      assertSame(run, createEngine, tally);
    });
  }

  it('was held against it 100,000 times', () => {
    const { comparisons } = tally;
    assert.ok(comparisons >= 100_000, `only ${comparisons} comparisons`);
  });

  it('was asked what each effect allows, denies, passes over and cannot evaluate', () => {
    for (const effect of EFFECTS) {
      const answers = ['allow', 'explicit deny', 'error', 'no match'].filter(
        // Without a deny in the policy, `allow-override` knows no explicit one, and
        // `deny-override` allows what nothing matches.
        (answer) =>
          !(effect === 'allow-override' && answer === 'explicit deny') &&
          !(effect === 'deny-override' && answer === 'no match'),
      );
      for (const answer of answers) {
        const times = tally.effects.get(`${effect}: ${answer}`) ?? 0;
        assert.ok(times >= 300, `${effect}: ${answer} only ${times} times`);
      }
    }
  });

  it('was asked through every function of Casbin and every role relation', () => {
    for (const name of [...BUILTINS, 'eval', 'g', 'g2', 'g3']) {
      for (const answer of ['allow', 'no match']) {
        const times = tally.functions.get(`${name}: ${answer}`) ?? 0;
        assert.ok(times >= 100, `${name}: ${answer} only ${times} times`);
      }
    }
  });

  it('found the rules of most models by an index, and left few to node-casbin', () => {
    const { scenarios, engines, handlings } = tally;
    const indexed = engines.get('indexed') ?? 0;
    assert.ok(indexed > scenarios * 0.95, `${indexed} of ${scenarios} engines were indexed`);
    const byIndex = handlings.get('indexed') ?? 0;
    assert.ok(byIndex > scenarios * 0.6, `${byIndex} of ${scenarios} had an indexed part`);
  });

  it('took nearly all changes in place', () => {
    const { changesTaken, changesRefused } = tally;
    assert.ok(
      changesRefused < changesTaken * 0.02,
      `${changesRefused} changes were refused, ${changesTaken} taken`,
    );
  });
});
