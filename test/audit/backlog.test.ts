import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import { Backlog } from '../../src/audit/backlog.js';

const log = { info: () => {}, warn: () => {}, error: () => {} };

describe('the backlog of the audit', () => {
  it('slows down who adds many at a time faster than they are written, and refuses nobody', async () => {
    let written = 0;
    let most = 0;
    const backlog = new Backlog({
      confirm: false,
      send: async (rows) => {
        await setImmediate();
        written += rows.length;
      },
      log,
      metrics: undefined,
      limits: { events: 500, batch: 10, delay: 1 },
    });
    const addBatches = async (adder: number): Promise<void> => {
      for (let round = 0; round < 10; round += 1) {
        const added = Array.from({ length: 20 }, async (_, item) =>
          backlog.add({
            event: {
              id: `dec_${adder}_${round}_${item}`,
              kind: 'decision',
              actor: 'key:1',
              requestId: `req_${adder}_${round}_${item}`,
            },
            at: 0,
            redactPaths: [],
          }),
        );
        most = Math.max(most, backlog.pending);
        await Promise.all(added);
      }
    };
    await Promise.all(Array.from({ length: 10 }, (_, adder) => addBatches(adder)));
    await backlog.close();
    assert.equal(written, 2_000);
    assert.ok(most <= 230, `${most} were held`);
  });
});
