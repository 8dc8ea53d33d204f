import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { authorizeQuestion } from '../../src/decision/authorize-question.js';
import { parseCheckBody } from '../../src/decision/check-schema.js';
import type { Reading } from '../../src/decision/evaluation.js';
import { readPolicy } from '../../src/decision/read-policy.js';
import { type RecentCheck, RecentChecks } from '../../src/decision/recent-checks.js';
import { createEngine } from '../../src/engine/create-engine.js';
import type { Model } from '../../src/engine/model.js';
import { Forbidden, InvalidRequest } from '../../src/errors.js';
import type { Caller } from '../../src/identity/caller.js';
import { parsePlainObject } from '../../src/platform/json.js';
import { emptySnapshot, type Snapshot } from '../../src/policy/snapshot.js';
import type { RuleLine } from '../../src/vocabulary.js';
import { EFFECTS } from '../engine/differential/alphabet.js';
import { changed, type Scenario, scenarios } from '../engine/differential/scenario.js';
import { caller } from '../support/world.js';

const ORIGIN = { requestId: 'req-1' };
const service = caller();

function textOf(over: object = {}): string {
  return JSON.stringify({
    tenant: 'acme',
    subject: 'alice',
    action: 'read',
    resource: 'document:1',
    ...over,
  });
}

/** Asks it of a policy, as who may. */
function ask(recent: RecentChecks, text: string, policy = emptySnapshot): RecentCheck {
  const check = recent.asked(text);
  recent.read(check, authorizeQuestion(service, check.body, ORIGIN), policy);
  return check;
}

/** Asks often enough for it to be held. */
function askTwice(recent: RecentChecks, text: string): RecentCheck {
  ask(recent, text);
  return ask(recent, text);
}

/** Asks until it is held: another may have its mark, and keep it for a while. */
function untilHeld(recent: RecentChecks, text: string): RecentCheck {
  const { size } = recent;
  for (let tries = 0; tries < 100; tries += 1) {
    const check = ask(recent, text);
    if (recent.size > size) return check;
  }
  return assert.fail('it was never held');
}

/** So many different checks, from a number on. */
function documents(from: number, count: number): string[] {
  return Array.from({ length: count }, (_, id) => textOf({ resource: `document:${from + id}` }));
}

/** A policy whose engine counts how often it is asked. */
function countingPolicy(): { readonly policy: Snapshot; asked: number } {
  const counting = {
    asked: 0,
    policy: {
      ...emptySnapshot,
      engine: {
        ...emptySnapshot.engine,
        decide: () => {
          counting.asked += 1;
          return { effect: 'allow', rule: ['p', 'alice'] } as const;
        },
      },
    },
  };
  return counting;
}

/** Knows the check already, which no policy has answered that counts. */
function held() {
  const recent = new RecentChecks();
  askTwice(recent, textOf());
  return { recent, counting: countingPolicy() };
}

/** What a policy says to a body, as who asks by a key. */
function read(
  recent: RecentChecks,
  text: string,
  policy: Snapshot,
  who: Caller = service,
): Reading {
  const check = recent.asked(text);
  return recent.read(check, authorizeQuestion(who, check.body, ORIGIN), policy);
}

describe('the checks that came lately', () => {
  describe('are held', () => {
    it('from the second time on', () => {
      const recent = new RecentChecks();
      ask(recent, textOf());
      assert.equal(recent.size, 0);
      const second = ask(recent, textOf());
      assert.equal(recent.size, 1);
      assert.equal(ask(recent, textOf()), second);
    });

    it('by their whole text', () => {
      const recent = new RecentChecks();
      const first = askTwice(recent, textOf());
      const spaced = askTwice(recent, ` ${textOf()}`);
      assert.notEqual(first, spaced);
      assert.deepEqual(spaced.body, first.body);
      assert.deepEqual(recent.asked(textOf({ subject: 'bob' })).body.subject, 'bob');
      for (const text of documents(0, 1_000)) ask(recent, text);
      const comment = 'x'.repeat(100);
      for (let place = 0; place < comment.length; place += 1) {
        const other = `${comment.slice(0, place)}y${comment.slice(place + 1)}`;
        ask(recent, textOf({ context: { comment: other } }));
      }
      assert.equal(recent.size, 2);
    });

    it('only once they were asked by who may', () => {
      const recent = new RecentChecks();
      const stranger = caller({ tenant: 'globex' });
      for (let time = 0; time < 10; time += 1) {
        assert.throws(() => read(recent, textOf(), emptySnapshot, stranger), Forbidden);
      }
      assert.equal(recent.size, 0);
      ask(recent, textOf());
      assert.equal(recent.size, 0);
    });

    it('up to 16,384, the one that was not asked for longest going first, now and then', () => {
      const recent = new RecentChecks();
      const all = documents(0, 16_384);
      const [first = '', second = '', third = ''] = all;
      const [heldFirst, heldSecond] = all.map((text) => untilHeld(recent, text));
      assert.equal(recent.size, 16_384);
      assert.equal(ask(recent, first), heldFirst);
      const [newcomer = ''] = documents(16_384, 1);
      const asked = Array.from({ length: 100 }, () => ask(recent, newcomer));
      const held = asked.findIndex((check) => check === asked.at(-1));
      assert.ok(held >= 31 && held < 99, `held the ${held}th time`);
      assert.equal(recent.size, 16_384);
      assert.equal(ask(recent, first), heldFirst);
      assert.notEqual(recent.asked(second), heldSecond);
      assert.equal(ask(recent, third), ask(recent, third));
    });

    it('for the most part where more of them come in turn than there is room for', () => {
      const recent = new RecentChecks();
      const all = documents(0, 20_000);
      let before: RecentCheck[] = [];
      for (let round = 0; round < 8; round += 1) {
        const now = all.map((text) => ask(recent, text));
        const again = now.filter((check, index) => check === before[index]).length;
        if (round > 5) assert.ok(again > 15_000, `${again} of 20,000 in round ${round}`);
        before = now;
      }
    });

    it('up to four million characters together, most of them staying', () => {
      const recent = new RecentChecks();
      const length = 1_000;
      const all = Array.from({ length: 8_000 }, (_, id) => {
        const text = textOf({ context: { comment: String(id).padStart(length - 110, '0') } });
        assert.ok(text.length > 950 && text.length <= 1_024);
        return text;
      });
      const held = all.map((text) => askTwice(recent, text));
      const { size } = recent;
      assert.ok(size > 3_600 && size * length <= 4 * 1024 * 1024 * 1.1, `${size}`);
      const still = all.filter((text, index) => recent.asked(text) === held[index]).length;
      const early = all
        .slice(0, 3_000)
        .filter((text, index) => recent.asked(text) === held[index]).length;
      assert.ok(still > 3_400 && early > 2_400, `${still} of all, ${early} of the first`);
    });

    it('unless they are long', () => {
      const recent = new RecentChecks();
      const comment = 'x'.repeat(1_024 - textOf({ context: { comment: '' } }).length);
      const longest = textOf({ context: { comment } });
      const longer = textOf({ context: { comment: `${comment}x` } });
      askTwice(recent, longer);
      assert.equal(recent.size, 0);
      assert.deepEqual(recent.asked(longer).body, JSON.parse(longer));
      askTwice(recent, longest);
      assert.equal(recent.size, 1);
    });

    it('unless they are no checks, which are refused each time', () => {
      const recent = new RecentChecks();
      const bad = [
        '',
        '{',
        '[]',
        'null',
        '{"a":"\\ud800"}',
        textOf({ more: 1 }),
        '{"__proto__":1}',
      ];
      for (const text of [...bad, ...bad, ...bad]) {
        assert.throws(() => ask(recent, text), InvalidRequest, text);
      }
      assert.equal(recent.size, 0);
    });
  });

  describe('ask the policy', () => {
    const text = textOf();

    it('once as long as it is the same', () => {
      const { recent, counting } = held();
      const first = read(recent, text, counting.policy);
      const again = read(recent, text, counting.policy);
      assert.equal(counting.asked, 1);
      assert.deepEqual(again, first);
    });

    it('again as soon as it is another, though of the same engine and revision', () => {
      const { recent, counting } = held();
      read(recent, text, counting.policy);
      const next = { ...counting.policy };
      assert.equal(read(recent, text, next).policy, next);
      assert.equal(counting.asked, 2);
      // One that comes back may have an engine that took changes meanwhile.
      read(recent, text, counting.policy);
      assert.equal(counting.asked, 3);
    });

    it('again where others of them have seen the new policies first', () => {
      const { recent, counting } = held();
      const other = textOf({ subject: 'bob' });
      askTwice(recent, other);
      read(recent, text, counting.policy);
      for (let times = 1; times <= 3; times += 1) {
        const { asked } = counting;
        let latest = counting.policy;
        for (let later = 0; later < times; later += 1) {
          latest = { ...counting.policy };
          read(recent, other, latest);
        }
        read(recent, text, latest);
        assert.equal(counting.asked - asked, times + 1);
      }
    });

    it('for each tenant, where the credential says which', () => {
      const { recent, counting } = held();
      const unbound = textOf({ tenant: undefined });
      for (const tenant of ['acme', 'acme', 'acme', 'globex', 'globex', 'acme']) {
        const reading = read(recent, unbound, counting.policy, caller({ tenant }));
        assert.equal(reading.question.check.tenant, tenant);
      }
      assert.equal(recent.size, 2);
      // The first two, which were not held, and once at each change of the tenant.
      assert.equal(counting.asked, 4);
    });

    it('each time about who has very many roles', () => {
      for (const [count, times] of [
        [64, 1],
        [65, 2],
      ] as const) {
        const { recent, counting } = held();
        const roles = Array.from({ length: count }, (_, index) => `role-${index}`);
        const engine = { ...counting.policy.engine, rolesOf: () => roles };
        const explained = textOf({ explain: true });
        askTwice(recent, explained);
        const policy = { ...counting.policy, engine };
        for (let time = 0; time < 2; time += 1) {
          assert.equal(read(recent, explained, policy).roles, roles);
        }
        assert.equal(counting.asked, times);
      }
    });

    it('and forget it once it is no longer in force', async () => {
      setFlagsFromString('--expose-gc');
      const collect = runInNewContext('gc') as () => void;
      const { recent } = held();
      const former = (() => {
        const { policy } = countingPolicy();
        read(recent, text, policy);
        return new WeakRef(policy);
      })();
      // What a weak reference was asked for is kept until the turn ends.
      await new Promise((resolve) => setImmediate(resolve));
      collect();
      assert.equal(former.deref(), undefined);
      assert.equal(recent.size, 1);
    });
  });

  it('are answered as if each came for the first time, whatever changes in between', () => {
    let changedAnswers = 0;
    for (const effect of EFFECTS) {
      const drawn = scenarios({ effect, hasTenant: true }, { checks: 8, changes: 4 });
      const holds = ({ source, checks, changes, ...scenario }: Scenario): void => {
        const recent = new RecentChecks();
        const texts = checks.map((check) => JSON.stringify(check));
        let { lines } = scenario;
        let policy = policyOf(source.model, lines);
        let before = answers(recent, texts, policy);
        for (const change of changes) {
          lines = changed(lines, change);
          const taken = policy.engine.apply(change);
          policy = taken ? { ...policy } : policyOf(source.model, lines);
          const now = answers(recent, texts, policy);
          if (!isDeepStrictEqual(now, before)) changedAnswers += 1;
          before = now;
        }
      };
      fc.assert(fc.property(drawn, holds), { seed: 20_261_123, numRuns: 25, endOnFailure: true });
    }
    assert.ok(changedAnswers > 20, `only ${changedAnswers} changes showed`);
  });
});

function policyOf(model: Model, lines: readonly RuleLine[]): Snapshot {
  return { ...emptySnapshot, model, engine: createEngine(model, lines) };
}

/** What is answered to bodies that come three times each, after it was held against the direct way. */
function answers(recent: RecentChecks, texts: readonly string[], policy: Snapshot): unknown[] {
  return [...texts, ...texts, ...texts].map((text) => {
    const direct = outcome(() => {
      const body = parseCheckBody(parsePlainObject(text));
      return readPolicy(authorizeQuestion(service, body, ORIGIN), policy);
    });
    const held = outcome(() => read(recent, text, policy));
    assert.deepEqual(held, direct);
    return held;
  });
}

/** What the policy says, or why it was not asked. */
function outcome(ask: () => Reading): unknown {
  try {
    const { casbin, roles } = ask();
    return { casbin, roles };
  } catch (error) {
    assert.ok(error instanceof InvalidRequest);
    return error.message;
  }
}
