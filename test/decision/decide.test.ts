import assert from 'node:assert/strict';
import { decide, type Stores } from '../../src/decision/decide.js';
import type { Answer } from '../../src/decision/answer.js';
import type { Question, Reading } from '../../src/decision/evaluation.js';
import { Unavailable } from '../../src/errors.js';
import { GovernanceIndex } from '../../src/governance/governance-index.js';
import type { RateLimitRule } from '../../src/governance/governance-rule.js';
import type { Limiter, Receipt } from '../../src/governance/limiter.js';
import { createMemoryLimiter } from '../../src/governance/memory-limiter.js';
import { emptySnapshot } from '../../src/policy/snapshot.js';
import { caller } from '../support/world.js';

const clock = { now: () => Date.parse('2026-03-30T10:00:00Z') };

const QUOTA: RateLimitRule = {
  id: 'quota',
  kind: 'rate-limit',
  match: {},
  digest: 'digest',
  source: { file: 'governance/rules.yaml', line: 1 },
  rate: { limits: [{ per: 'hour', count: 2 }], byRole: {}, key: 'subject' },
};

const check = {
  tenant: 'acme',
  subject: { type: 'user', id: 'alice', properties: {} },
  action: { name: 'read', properties: {} },
  resource: { type: 'document', id: '1', properties: {} },
  context: {},
};

const question: Question = {
  check,
  requested: check,
  options: { explain: false, dryRun: false, openApproval: false },
  caller: caller(),
  requestId: 'req-1',
  ip: undefined,
};

function reading(...rules: readonly RateLimitRule[]): Reading {
  const policy = { ...emptySnapshot, governance: new GovernanceIndex(rules) };
  return { question, policy, casbin: { effect: 'allow' }, roles: [] };
}

const answer = { body: { decision: 'allow' } } as unknown as Answer;

function storesOf(settle: Stores['settle'], limiter: Limiter): Stores {
  const approvals = {
    find: () => assert.fail('nobody asks for approvals here'),
    open: () => assert.fail('nobody opens approvals here'),
  };
  return { clock, approvals, limiter, settle };
}

/** A limiter whose answers come later, as those of a store do. */
function late(limiter: Limiter): Limiter {
  return {
    take: async (demands) => limiter.take(demands),
    peek: async (demands) => limiter.peek(demands),
    giveBack: (receipt) => limiter.giveBack(receipt),
  };
}

/** What is given back, too. */
function watched(limiter: Limiter): Limiter & { readonly given: Receipt[] } {
  const given: Receipt[] = [];
  return {
    given,
    take: (demands) => limiter.take(demands),
    peek: (demands) => limiter.peek(demands),
    giveBack: (receipt) => {
      given.push(receipt);
      return limiter.giveBack(receipt);
    },
  };
}

describe('a decision', () => {
  it('that asks no store is taken at once', () => {
    const decided = decide(
      reading(),
      storesOf(() => answer, createMemoryLimiter({ clock })),
    );
    assert.equal(decided, answer);
  });

  it('waits for a store that answers later', async () => {
    const stores = storesOf(() => answer, late(createMemoryLimiter({ clock })));
    const decided = decide(reading(QUOTA), stores);
    assert.ok(decided instanceof Promise, 'the limiter has not answered yet');
    assert.equal(await decided, answer);
  });

  const failures: Readonly<Record<string, Stores['settle']>> = {
    'fails at once': () => {
      throw new Unavailable('no audit');
    },
    'fails later': () => Promise.reject(new Unavailable('no audit')),
  };
  for (const [how, settle] of Object.entries(failures)) {
    for (const [where, placed] of Object.entries({
      here: (one: Limiter) => one,
      elsewhere: late,
    })) {
      it(`gives back what it took from counters kept ${where} when its last step ${how}`, async () => {
        const limiter = watched(createMemoryLimiter({ clock }));
        const asked = async () => decide(reading(QUOTA), storesOf(settle, placed(limiter)));
        for (let tries = 1; tries <= 3; tries += 1) {
          await assert.rejects(asked, Unavailable);
          assert.equal(limiter.given.length, tries);
        }
      });
    }
  }

  it('that loses every race for a grant gives back each time, and is told to try again', async () => {
    for (const lost of [() => undefined, async () => undefined]) {
      const limiter = watched(createMemoryLimiter({ clock }));
      const asked = async () => decide(reading(QUOTA), storesOf(lost, limiter));
      await assert.rejects(asked, Unavailable);
      assert.equal(limiter.given.length, 5);
    }
  });
});
