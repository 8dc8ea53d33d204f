import assert from 'node:assert/strict';
import { Unavailable } from '../../src/errors.js';
import { createChangeQueue } from '../../src/policy/change-queue.js';

describe('the queue of changes', () => {
  it('runs one at a time, in their order, whatever fails', async () => {
    const inQueue = createChangeQueue();
    const said: string[] = [];
    const say = (word: string) => async () => {
      said.push(`${word} begins`);
      await Promise.resolve();
      said.push(`${word} ends`);
    };
    const failing = inQueue(async () => {
      throw new Error('no');
    });
    const others = [inQueue(say('one')), inQueue(say('two'))];
    await assert.rejects(failing, /no/);
    await Promise.all(others);
    assert.deepEqual(said, ['one begins', 'one ends', 'two begins', 'two ends']);
  });

  it('refuses whoever comes while a hundred wait, and nobody afterwards', async () => {
    const inQueue = createChangeQueue();
    let open = (): void => {};
    const gate = new Promise<void>((resolve) => void (open = resolve));
    const waiting = Array.from({ length: 100 }, () => inQueue(() => gate));
    await assert.rejects(
      inQueue(async () => undefined),
      Unavailable,
    );
    open();
    await Promise.all(waiting);
    assert.equal(await inQueue(async () => 'in'), 'in');
  });

  it('refuses whoever waits for too long, and does nothing of that', async () => {
    const inQueue = createChangeQueue();
    let open = (): void => {};
    const first = inQueue(() => new Promise<void>((resolve) => void (open = resolve)));
    const done: string[] = [];
    const late = inQueue(async () => void done.push('late'), { patience: 1 });
    const patient = inQueue(async () => void done.push('patient'));
    await assert.rejects(late, /nothing was changed/);
    open();
    await Promise.all([first, patient]);
    assert.deepEqual(done, ['patient']);
  });
});
