import assert from 'node:assert/strict';
import fc from 'fast-check';
import { parseEvents } from 'js-yaml';
import { findingLines } from '../../src/platform/text-lines.js';
import { atOnce } from '../../src/platform/turns.js';
import { readingEvents } from '../../src/platform/yaml-events.js';

const MAX_DEPTH = 8;

/** Lines that begin, end, hide and cut lists, well and badly. */
const line = fc.constantFrom(
  'rules:',
  'more:',
  '- a',
  '- id: a',
  '  - b',
  '  - id: b',
  '  - id: &anchor "b"',
  '  - *anchor',
  '    when: |',
  '    when: >-',
  '      - in a text',
  '      text',
  '    l: [1,',
  '      2, "x: y"]',
  '    m: {a: 1, b: [c]}',
  '    nested:',
  '      - x',
  '      - y: z',
  '  - "quoted',
  '    and closed"',
  "  - 'single'",
  '  - plain',
  '    goes on',
  '  -',
  '  - - twice',
  '  - ? key',
  '    : value',
  '  - !!str tagged',
  '# comment',
  '      # comment',
  '',
  '   ',
  '\t',
  'key: value',
  'text: |',
  'text: "',
  '---',
  '...',
  '%YAML 1.2',
  '\u2028  - x',
);
const ends = fc.constantFrom('\n', '\n', '\n', '\r\n', '\r');
const texts = fc
  .tuple(
    fc.constantFrom('', 'rules:\n', 'rules:\n  - id: a\n', 'tenants: [a]\nrules:\n'),
    fc.array(fc.tuple(line, ends), { maxLength: 14 }),
  )
  .map(([head, lines]) => head + lines.flat().join(''));

/** What the parser makes of a text, or why it refuses it. */
function outcome(parse: () => unknown): unknown {
  try {
    return parse();
  } catch (error) {
    return String(error);
  }
}

function inPieces(text: string, piece: number): { outcome: unknown; turns: number } {
  const work = readingEvents(text, atOnce(findingLines(text)), { maxDepth: MAX_DEPTH, piece });
  let turns = 1;
  const result = outcome(() => {
    for (;;) {
      const step = work.next();
      if (step.done === true) return step.value;
      turns += 1;
    }
  });
  return { outcome: result, turns };
}

function listOf(count: number): string {
  const items = Array.from({ length: count }, (_, at) =>
    [`  - id: r${at}`, '    when: |', '      a', '      - b', `    on: [x, "y${at}"]`, ''].join(
      '\n',
    ),
  );
  return `# a list\nrules:\n${items.join('')}`;
}

describe('reading the events of a YAML text in pieces', () => {
  it('comes to those of the whole text, whatever stands in it', () => {
    fc.assert(
      fc.property(texts, fc.constantFrom(1, 8, 30), (text, piece) => {
        const whole = outcome(() => parseEvents(text, { maxDepth: MAX_DEPTH }));
        assert.deepEqual(inPieces(text, piece).outcome, whole);
      }),
      { numRuns: 5_000 },
    );
  });

  it('never takes a list inside the first item for the list itself', () => {
    for (const text of [
      '  -\n  - - twice\n  - - twice\n',
      'rules:\n  -\n  - - a\n  - - b\n',
      'rules:\n-\n- - a\n- - b\n',
    ]) {
      const whole = parseEvents(text, { maxDepth: MAX_DEPTH });
      assert.deepEqual(inPieces(text, 1).outcome, whole);
    }
  });

  it('takes a turn for each piece of a list, in a mapping or by itself', () => {
    const nested = listOf(500);
    const bare = nested
      .replace(/^.*\n.*\n/, '')
      .replaceAll('\n  ', '\n')
      .slice(2);
    for (const text of [nested, bare, `${nested}after:\n  - x\n`]) {
      const { outcome: events, turns } = inPieces(text, 1_000);
      assert.deepEqual(events, parseEvents(text, { maxDepth: MAX_DEPTH }));
      assert.ok(turns > text.length / 1_200, `${turns} turns for ${text.length} characters`);
    }
  });
});
