import assert from 'node:assert/strict';
import fc from 'fast-check';
import { EVENT_ID, parseEvents, YAMLException } from 'js-yaml';
import { eventAt, packEvents } from '../../src/platform/packed-events.js';
import { atOnce, inTurns } from '../../src/platform/turns.js';
import { parseYaml, parsingYaml, type YamlReading } from '../../src/platform/yaml.js';
import { readingEvents } from '../../src/platform/yaml-thread.js';

const MAX_DEPTH = 8;

/** Enough for another thread to read the text. */
const MANY = 4_000;

/** Lines of every kind of node, well and badly written. */
const line = fc.constantFrom(
  'rules:',
  '- a',
  '- id: a',
  '  - id: &anchor "b"',
  '  - *anchor',
  '    when: |+',
  '    when: >-',
  '      text',
  '    l: [1,',
  '      2, "x: \\"y"]',
  '    m: {a: 1, b: [c]}',
  "  - 'it''s'",
  '  - plain',
  '    goes on',
  '  -',
  '  - - twice',
  '  - ? key',
  '    : value',
  '  - !!str tagged',
  '# comment',
  '',
  'key: value',
  '---',
  '...',
  '%YAML 1.2',
);
const texts = fc.array(line, { maxLength: 14 }).map((lines) => lines.join('\n'));

/** A governance file of more than a list can be cut out of: one line, from its first brace on. */
const flow = (count: number): string =>
  JSON.stringify({
    rules: Array.from({ length: count }, (_, at) => ({ id: `r${at}`, on: ['x', `y${at}`] })),
  });

/** All that a reading tells, but for the places of what is not there. */
function toldBy({ faults, document }: YamlReading) {
  const pointers = ['/rules', '/rules/0/id', `/rules/${MANY - 1}/on/1`];
  return {
    faults,
    value: document?.value,
    places: document && pointers.map((pointer) => [document.at(pointer), document.keyAt(pointer)]),
  };
}

describe('the events of a YAML text', () => {
  it('are the same once they were numbers', () => {
    let events = 0;
    fc.assert(
      fc.property(texts, (text) => {
        const parsed = parsedOrNone(text);
        const packed = packEvents(parsed);
        parsed.forEach((event, index) => {
          const unpacked = eventAt(packed, index);
          assert.ok(unpacked);
          if (event.type === EVENT_ID.SCALAR) assert.deepEqual(unpacked, event);
          // Of the others, those members that are kept.
          assert.deepEqual({ ...event, ...unpacked }, event);
          events += 1;
        });
        assert.equal(eventAt(packed, parsed.length), undefined);
      }),
      { numRuns: 2_000 },
    );
    assert.ok(events > 1_000, `${events} events`);
  });

  it('are read in this thread where the text is short, and by an errand where it is long', () => {
    const first = (text: string) => readingEvents(text).next();
    assert.equal(first(flow(10)).done, true);
    assert.equal(first(flow(MANY)).done, false);
  });
});

describe('a long YAML text', function () {
  // A thread reads TypeScript first here.
  this.timeout(60_000);

  for (const [what, text] of [
    ['is read by another thread as it is at once', flow(MANY)],
    ['has its faults told with their places', `${flow(MANY).slice(0, -2)},\n&a "\\u0007", *a]}`],
    ['has invisible characters told', flow(MANY).replace('y17"', 'y\u0007"')],
    ['is refused where its syntax is broken', `${flow(MANY)}\n]`],
  ] as const) {
    it(what, async () => {
      const reading = toldBy(await inTurns(parsingYaml(text)));
      assert.deepEqual(reading, toldBy(parseYaml(text)));
      assert.deepEqual(reading, toldBy(atOnce(parsingYaml(text))));
    });
  }

  it('comes over whole, whatever its characters', async () => {
    // Pieces of it end within pairs of surrogates.
    const value = ['x', ...Array.from({ length: 1_100_000 }, () => '😀')].join('');
    const { document, faults } = await inTurns(parsingYaml(JSON.stringify({ value })));
    assert.deepEqual(faults, []);
    assert.deepEqual(document?.value, { value });
  });

  it('lets others have their turns', async () => {
    let turns = 0;
    const reading = inTurns(parsingYaml(flow(MANY)));
    let isRead = false;
    const read = reading.then(() => void (isRead = true));
    while (!isRead) {
      turns += 1;
      // oxlint-disable-next-line no-await-in-loop -- turn by turn
      await new Promise((resolve) => void setImmediate(resolve));
    }
    await read;
    assert.ok(turns > 20, `${turns} turns`);
  });
});

function parsedOrNone(text: string) {
  try {
    return parseEvents(text, { maxDepth: MAX_DEPTH });
  } catch (error) {
    if (error instanceof YAMLException) return [];
    throw error;
  }
}
