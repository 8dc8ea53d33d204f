import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import { later } from '../../src/platform/later.js';
import { Backlog, type BacklogLimits } from '../../src/audit/backlog.js';

const log = { info: () => {}, warn: () => {}, error: () => {} };

interface Burst {
  readonly limits: Partial<BacklogLimits>;
  /** Of each event. */
  readonly characters: number;
}

/** Ten adders, each with ten bursts of twenty events: what was written, and the most that was held. */
async function addInBursts({
  limits,
  characters,
}: Burst): Promise<{ written: number; most: number }> {
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
    limits: { batch: 10, delay: 1, ...limits },
  });
  const addBursts = async (adder: number): Promise<void> => {
    for (let round = 0; round < 10; round += 1) {
      const added = Array.from({ length: 20 }, async (_, item) => {
        const name = `${adder}_${round}_${item}`;
        const detail = { note: 'x'.repeat(characters) };
        const event = {
          id: `dec_${name}`,
          kind: 'decision',
          actor: 'key:1',
          requestId: name,
          detail,
        };
        return backlog.add({ event, at: 0, redactPaths: [] });
      });
      most = Math.max(most, backlog.pending);
      await Promise.all(added);
    }
  };
  await Promise.all(Array.from({ length: 10 }, (_, adder) => addBursts(adder)));
  await backlog.close();
  return { written, most };
}

describe('the backlog of the audit', () => {
  it('slows down who adds many at a time faster than they are written, and refuses nobody', async () => {
    const { written, most } = await addInBursts({ limits: { events: 500 }, characters: 1 });
    assert.equal(written, 2_000);
    assert.ok(most <= 300, `${most} were held`);
  });

  it('slows down who adds large ones, and refuses nobody', async () => {
    const limits = { batch: 1_000, batchCharacters: 10_000, characters: 400_000 };
    const { written, most } = await addInBursts({ limits, characters: 1_000 });
    assert.equal(written, 2_000);
    assert.ok(most <= 300, `${most} were held`);
  });

  describe('asked for room', () => {
    const made = (
      confirm: boolean,
      send?: () => Promise<void>,
      limits: Partial<BacklogLimits> = {},
    ) => {
      const away = { is: false };
      const backlog = new Backlog({
        confirm,
        send:
          send ??
          (async () => {
            await setImmediate();
            if (away.is) throw new Error('Postgres is away');
          }),
        log,
        metrics: undefined,
        limits: { batch: 10, delay: 60_000, ...limits },
      });
      const add = (count: number): void => {
        for (let item = 0; item < count; item += 1) {
          const event = {
            id: `dec_${item}`,
            kind: 'decision',
            actor: 'key:1',
            requestId: `${item}`,
          };
          void backlog.add({ event, at: 0, redactPaths: [] });
        }
      };
      return { backlog, add, away };
    };

    it('has some while it holds little', async () => {
      const { backlog, add } = made(false);
      add(19);
      assert.equal(backlog.room(), undefined);
      add(2);
      await backlog.room();
      await backlog.flush();
      assert.equal(backlog.room(), undefined);
      await backlog.close();
    });

    it('lets who asks go on once some were sent, whatever came meanwhile', async () => {
      const sending = [later<void>(), later<void>()];
      let sent = 0;
      const send = (): Promise<void> => sending[(sent += 1) > 1 ? 1 : 0]?.promise ?? assert.fail();
      const { backlog, add } = made(false, send, { batch: 100 });
      add(250);
      const room = backlog.room();
      assert.ok(room instanceof Promise);
      add(60);
      sending[0]?.resolve();
      await room;
      assert.equal(backlog.pending, 210);
      sending[1]?.resolve();
      await backlog.close();
    });

    it('keeps nobody waiting for a Postgres that is away', async () => {
      const { backlog, add, away } = made(false);
      away.is = true;
      add(60);
      await backlog.room();
      assert.equal(backlog.pending, 60);
      assert.equal(backlog.room(), undefined);
      away.is = false;
      await backlog.close();
      assert.equal(backlog.pending, 0);
    });

    it('keeps nobody waiting for long for one that does not answer', async () => {
      const { backlog, add } = made(false, () => new Promise(() => {}), {
        keepAfter: 50,
        closing: 50,
      });
      add(60);
      await backlog.room();
      assert.equal(backlog.pending, 60);
      await backlog.close();
    });

    it('has some where each event is waited for anyway', async () => {
      const { backlog, add } = made(true);
      add(60);
      assert.equal(backlog.room(), undefined);
      await backlog.close();
    });
  });
});
