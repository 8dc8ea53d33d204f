import assert from 'node:assert/strict';
import type { RecordedEvent } from '../../src/audit/event.js';
import { rowsOf, WaitingEvents } from '../../src/audit/waiting-events.js';

const event = (id: string): RecordedEvent => ({
  event: { id, kind: 'decision', actor: 'key:1', requestId: id },
  at: 0,
  redactPaths: [],
});

const LIMITS = { batch: 300, batchCharacters: 1_000_000 };
const NOBODY = { committed: () => undefined, refused: () => undefined };

describe('events that wait', () => {
  it('are rows, and no longer events, as soon as there are a hundred', () => {
    const waiting = new WaitingEvents(LIMITS);
    for (let index = 0; index < 150; index += 1) waiting.add(event(`e${index}`), 1);
    const { entries, count, weight } = waiting.take();
    assert.deepEqual(
      entries.map(({ events, rows }) => [events.length, rows?.length]),
      [
        [0, 100],
        [50, undefined],
      ],
    );
    assert.deepEqual([count, weight, waiting.count], [150, 150, 0]);
  });

  it('keep their order, whichever of them are rows already', async () => {
    const waiting = new WaitingEvents({ ...LIMITS, batchCharacters: 5 });
    const early = new WaitingEvents(LIMITS);
    early.addAwaited(event('first'), 1, NOBODY);
    waiting.add(event('second'), 5);
    waiting.add(event('third'), 1);
    const entries = [early, waiting, waiting].flatMap((some) => some.take().entries);
    const rows = await rowsOf(entries);
    assert.deepEqual(
      rows.map(({ values }) => values[0]),
      ['first', 'second', 'third'],
    );
  });
});
