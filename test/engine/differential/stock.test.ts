import assert from 'node:assert/strict';
import type { Enforcer } from 'casbin';
import fc from 'fast-check';
import { createEngine } from '../../../src/engine/create-engine.js';
import type { EngineAnswer } from '../../../src/engine/engine.js';
import { evaluatedFields } from '../../../src/engine/matcher-faults.js';
import type { Model } from '../../../src/engine/model.js';
import { valueAt } from '../../../src/engine/request-token.js';
import type { Check } from '../../../src/vocabulary.js';
import { stockEnforcer } from '../support.js';
import { EFFECTS } from './alphabet.js';
import { type Scenario, scenarios } from './scenario.js';

/** An answer as a stock node-casbin can give it. */
type Plain = 'error' | readonly [allowed: boolean, ...rule: string[]];

/** What a stock node-casbin of the same version makes of the very text of a model, and its rules. */
function stockAnswer(stock: Enforcer, { requestTokens }: Model, check: Check): Plain {
  try {
    const values = [...requestTokens.values()].map(({ path }) => valueAt(path, check));
    const [allowed, named] = stock.enforceExSync(...values);
    return [allowed, ...named];
  } catch {
    return 'error';
  }
}

function plain(answer: EngineAnswer): Plain {
  if (answer.effect === 'error') return 'error';
  return [answer.effect === 'allow', ...(answer.rule?.slice(1) ?? [])];
}

/**
 * Whether a stock node-casbin can be expected to agree. Where it is known to be wrong, or to take for
 * ever, we differ on purpose: other tests say how.
 */
function isComparable({ source: { model, plan }, lines }: Scenario): boolean {
  const mixesUpCommas = /\bg[23]?\([^)]*p\.dom\)/.test(plan.matcher);
  const asksOfObjects = / in r\./.test(plan.matcher);
  // It takes what is evaluated, in brackets and with a comma, for a list, once ` in ` occurs.
  const makesLists =
    evaluatedFields(model).size > 0 &&
    [plan.matcher, ...lines.flat()].some((text) => text.includes(' in '));
  // In its regular expressions a character outside the basic plane is two.
  const halvesCharacters = /\p{Cs}|[\u{10000}-\u{10FFFF}]/u.test(lines.flat().join(' '));
  // Its search for roles takes every way to each of them.
  const triesAllWays = lines.filter(([ptype]) => ptype === 'g').length > 25;
  return !(
    model.rolePatterns.size > 0 ||
    mixesUpCommas ||
    asksOfObjects ||
    makesLists ||
    halvesCharacters ||
    triesAllWays
  );
}

describe('the engine against a stock node-casbin that reads the same model and rules', function () {
  this.timeout(60_000);

  for (const [index, effect] of EFFECTS.entries()) {
    it(`decides the same under ${effect}, and names the same rule`, async () => {
      let compared = 0;
      const kinds = fc.oneof(
        scenarios({ effect, hasTenant: true }, { checks: 20, clean: true }),
        scenarios({ effect, hasTenant: false }, { checks: 20, clean: true }),
      );
      const drawn = fc.sample(kinds.filter(isComparable), { numRuns: 100, seed: 77 + index });
      for (const { source, lines, checks } of drawn) {
        const stock = await stockEnforcer(source.text, lines);
        const engine = createEngine(source.model, lines);
        for (const check of checks) {
          const answer = engine.decide(check);
          // The deliberate difference: for node-casbin an absent member is undefined.
          if (answer.effect === 'error' && answer.message.endsWith('is absent')) continue;
          assert.deepEqual(
            plain(answer),
            stockAnswer(stock, source.model, check),
            `${source.text}${JSON.stringify({ lines, check })}`,
          );
          compared += 1;
        }
      }
      assert.ok(compared >= 1_000, `only ${compared} comparisons`);
    });
  }
});
