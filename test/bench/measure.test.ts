import assert from 'node:assert/strict';
import { interleave, percentileOf, ratioOf, spreadOf } from '../../bench/measure.js';
import { summarize } from '../../bench/profile.js';
import { isMet, suiteText } from '../../bench/report.js';

describe('the figures of the benchmarks', () => {
  it('are the median, the least and the greatest', () => {
    assert.deepEqual(spreadOf([9, 1, 4]), { median: 4, min: 1, max: 9 });
    assert.deepEqual(spreadOf([9, 1, 4, 5]), { median: 4.5, min: 1, max: 9 });
  });

  it('say what most of them do not exceed', () => {
    const values = Array.from({ length: 200 }, (_, index) => 200 - index);
    assert.deepEqual(
      [0, 0.5, 0.99, 1].map((part) => percentileOf(values, part)),
      [1, 100, 198, 200],
    );
    assert.equal(percentileOf([], 0.5), Number.NaN);
  });

  it('are compared round by round', () => {
    assert.deepEqual(ratioOf([10, 30, 2], [5, 10, 2]), { median: 2, min: 1, max: 3 });
  });

  it('are taken from the peers in turn', async () => {
    const asked: string[] = [];
    const rounds = await interleave(['a', 'b'], 2, (peer) => asked.push(peer));
    assert.deepEqual(asked, ['a', 'b', 'a', 'b']);
    assert.deepEqual(rounds, [
      [1, 3],
      [2, 4],
    ]);
  });

  it('meet a goal with their median, and never where they are unknown', () => {
    const unknown = spreadOf([]);
    assert.equal(isMet(spreadOf([1, 2, 9]), { atMost: 2 }), true);
    assert.equal(isMet(spreadOf([1, 2, 9]), { atLeast: 3 }), false);
    assert.equal(isMet(unknown, { atMost: 2 }), false);
    assert.equal(isMet(unknown, { atLeast: 2 }), false);
  });

  it('are written as a table that says which goals are met', () => {
    const value = spreadOf([0.5]);
    const figures = [
      { what: 'with', unit: 'times', value, goal: { atLeast: 0.7 } },
      { what: 'without', unit: '%', value },
    ] as const;
    assert.equal(
      suiteText({ suite: 'x', title: 'X', figures, notes: ['small'] }),
      `| what | median    | min – max             | goal        |             |
| ---- | --------- | --------------------- | ----------- | ----------- |
| with | 0.5 times | 0.5 times – 0.5 times | ≥ 0.7 times | **not met** |

| measured along | median | min – max   |
| -------------- | ------ | ----------- |
| without        | 50 %   | 50 % – 50 % |

- small`,
    );
  });
});

describe('the profile of the benchmarks', () => {
  const node = (id: number, functionName: string, url: string) => ({
    id,
    callFrame: { functionName, url, lineNumber: 6 },
  });
  const profile = {
    nodes: [
      node(1, '(idle)', ''),
      node(2, 'serve', 'file:///somewhere/dist/http/serve.js'),
      node(3, 'write', 'file:///somewhere/node_modules/pino/dist/x.js'),
      node(4, '(program)', ''),
    ],
    startTime: 1_000,
    samples: [1, 2, 3, 2, 4],
    timeDeltas: [50, 10, 20, 30, 40],
  };

  it('gives shares of the time that was not slept, by function and by part', () => {
    const { functions, parts } = summarize([profile]);
    assert.deepEqual(functions, [
      { name: 'serve src/http/serve.js:7', share: 0.4 },
      { name: '(program)', share: 0.4 },
      { name: 'write pino/dist/x.js:7', share: 0.2 },
    ]);
    assert.deepEqual(
      parts.map(({ name }) => name),
      ['src/http', '(program)', 'pino'],
    );
  });

  it('adds up what several processes did', () => {
    const idle = { ...profile, samples: [1, 4], timeDeltas: [900, 60] };
    const { parts } = summarize([profile, idle]);
    assert.deepEqual(parts, [
      { name: '(program)', share: 0.625 },
      { name: 'src/http', share: 0.25 },
      { name: 'pino', share: 0.125 },
    ]);
  });

  it('looks at a span of time alone where one is given', () => {
    const { functions } = summarize([profile], { from: 1_070, to: 1_110 });
    assert.deepEqual(functions, [
      { name: 'serve src/http/serve.js:7', share: 0.6 },
      { name: 'write pino/dist/x.js:7', share: 0.4 },
    ]);
  });
});
