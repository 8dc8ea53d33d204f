import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type AnswerBody, answerOf, type Trace } from '../../src/decision/answer.js';
import {
  type Evaluation,
  note,
  startEvaluation,
  type Verdict,
} from '../../src/decision/evaluation.js';
import { writeAnswer, writeBatchAnswer } from '../../src/decision/write-answer.js';
import { emptySnapshot } from '../../src/policy/snapshot.js';
import { type DecidingRule, GOVERNANCE_KINDS, type RuleLine } from '../../src/vocabulary.js';
import { caller } from '../support/world.js';

/** Any text, with what JSON escapes more often than by chance. */
const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string(),
  fc.constantFrom('"', '\\', '\u2028', '\ud800', '\u007f', 'é', '😀', '\n', 'a"b\\c', '</script>'),
);
const line = fc
  .array(text, { minLength: 1, maxLength: 6 })
  .map((values) => values as unknown as RuleLine);
const count = fc.oneof(fc.nat(), fc.constantFrom(0, 1e9, 1e21, 0.5, Number.MAX_SAFE_INTEGER));

const rule: fc.Arbitrary<DecidingRule> = fc.oneof(
  line.map((rule) => ({ kind: 'casbin', rule }) as const),
  fc.record(
    {
      id: text,
      kind: fc.constantFrom(...GOVERNANCE_KINDS),
      outcome: fc.constantFrom('passed', 'denied', 'pending', 'granted', 'failed_closed'),
      message: text,
    },
    { requiredKeys: ['id', 'kind', 'outcome'] },
  ),
);

const trace: fc.Arbitrary<Trace> = fc.record({
  roles: fc.array(text),
  bundle: fc.constant(null),
  steps: fc.array(fc.record({ step: text, outcome: text })),
});

const body: fc.Arbitrary<AnswerBody> = fc.record(
  {
    decision: fc.constantFrom('allow', 'deny', 'approval_required'),
    allowed: fc.boolean(),
    reason: fc.constantFrom('allowed', 'rate_limited'),
    message: text,
    rules: fc.array(rule, { maxLength: 4 }),
    approval: fc.record({ id: text, status: text, expires_at: text }),
    rate_limit: fc.record({ limit: count, remaining: count, reset: count }),
    retry_at: text,
    trace,
    revision: count,
    decision_id: text,
  },
  {
    requiredKeys: ['decision', 'allowed', 'reason', 'message', 'rules', 'revision', 'decision_id'],
    noNullPrototype: true,
  },
);

describe('the text of an answer', () => {
  it('is what JSON.stringify gives, byte for byte', () => {
    fc.assert(
      fc.property(body, (answer) => assert.equal(writeAnswer(answer), JSON.stringify(answer))),
      { numRuns: 2_000 },
    );
  });

  it('of a batch, with errors among the answers, is so too', () => {
    const error = fc.record({ error: fc.record({ detail: text, status: count }) });
    const batch = fc.record({
      results: fc.array(fc.oneof(body, error), { maxLength: 4 }),
      revision: count,
    });
    fc.assert(
      fc.property(batch, (answer) =>
        assert.equal(writeBatchAnswer(answer), JSON.stringify(answer)),
      ),
    );
  });

  it('has the members in the order in which an answer is put together', () => {
    const rest = { message: 'm', approval: { id: 'apr_1', status: 'pending', expires_at: 'soon' } };
    const verdicts: readonly Verdict[] = [
      { decision: 'allow', reason: 'allowed', message: 'm' },
      { decision: 'deny', reason: 'rate_limited', ...rest, retryAt: 'later', retryAfter: 1 },
    ];
    for (const verdict of verdicts) {
      for (const explain of [false, true]) {
        const evaluation = begun(explain);
        evaluation.rateLimit = { limit: 3, remaining: 2, reset: 60 };
        note(evaluation, { rule: QUOTA, failed: 'x is absent' }, 'passed');
        const answer = answerOf(evaluation, verdict, 'dec_1').body;
        assert.equal(writeAnswer(answer), JSON.stringify(answer));
      }
    }
  });

  it('stays right however many rules have decided', () => {
    for (let index = 0; index < 10_000; index += 1) {
      const own: RuleLine = ['p', `role${index}`, 'acme', 'document:*', 'read', 'allow'];
      const answer = { ...WHOLE, rules: [{ kind: 'casbin', rule: own }] } as const;
      assert.equal(writeAnswer(answer), JSON.stringify(answer));
    }
  });
});

const WHOLE: AnswerBody = {
  decision: 'allow',
  allowed: true,
  reason: 'allowed',
  message: 'read on document:1 is allowed for alice',
  rules: [],
  revision: 1,
  decision_id: 'dec_1',
};

const QUOTA = {
  id: 'quota',
  kind: 'rate-limit',
  match: {},
  digest: 'digest',
  source: { file: 'governance/rules.yaml', line: 1 },
  rate: { limits: [], byRole: {}, key: 'subject' },
} as const;

function begun(explain: boolean): Evaluation {
  const check = {
    tenant: 'acme',
    subject: { type: 'user', id: 'alice', properties: {} },
    action: { name: 'read', properties: {} },
    resource: { type: 'document', id: '1', properties: {} },
    context: {},
  };
  const question = {
    check,
    requested: check,
    options: { explain, dryRun: false, openApproval: false },
    caller: caller(),
    requestId: 'req-1',
    ip: undefined,
  };
  const casbin = { effect: 'allow' } as const;
  return startEvaluation({ question, policy: emptySnapshot, casbin, roles: ['editor'] }, 0);
}
