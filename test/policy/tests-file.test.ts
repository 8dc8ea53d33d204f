import assert from 'node:assert/strict';
import { atOnce } from '../../src/platform/turns.js';
import { parsingTests } from '../../src/policy/tests-file.js';

const MANY = 500;

const testOf = (index: number) =>
  [
    `  - name: reader ${index}`,
    `    check: {tenant: acme, subject: u${index}, action: read, resource: "document:${index}"}`,
    '    expect: {decision: allow}',
    '',
  ].join('\n');

describe('a file of many tests', () => {
  it('is read in many turns, and as a whole', () => {
    const work = parsingTests(
      'tests/a.yaml',
      `tests:\n${Array.from({ length: MANY }, (_, at) => testOf(at)).join('')}`,
    );
    let turns = 0;
    for (;;) {
      const step = work.next();
      if (step.done === true) {
        const { tests, faults } = step.value;
        assert.deepEqual(faults, []);
        assert.deepEqual(
          tests.map(({ name }) => name),
          Array.from({ length: MANY }, (_, at) => `reader ${at}`),
        );
        break;
      }
      turns += 1;
    }
    // Its YAML, its shape and what a shape cannot say: one of each for every test.
    assert.ok(turns >= 3 * MANY, `${turns} turns`);
  });

  it('tells the faults of all of them', () => {
    const text = `now: 2026-02-30T10:00:00Z\ntests:\n${testOf(1)}${testOf(2).replace('allow}', 'allow, reason: no_matching_rule}')}${testOf(3).replace('expect', 'expects')}`;
    const { faults } = atOnce(parsingTests('tests/a.yaml', text));
    assert.deepEqual(
      faults.map(({ line }) => line).sort((a, b) => a - b),
      [1, 8, 9, 11],
    );
  });
});
