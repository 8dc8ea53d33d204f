import assert from 'node:assert/strict';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { createServer, connect, type AddressInfo } from 'node:net';
import { Patience, withinTime } from '../../src/platform/later.js';
import { keepBusy } from '../support/busy.js';

describe('waiting for a while', () => {
  it('gives what comes in time, also where that is a failure', async () => {
    assert.equal(await withinTime(Promise.resolve('here'), 1_000, 'late'), 'here');
    await assert.rejects(withinTime(Promise.reject(new Error('broken')), 1_000, 'late'), /broken/);
  });

  it('ends when the time is over', async () => {
    assert.equal(await withinTime(new Promise(() => undefined), 5, 'late'), 'late');
  });

  it('calls nothing late that was here before the process found time to read it', async () => {
    const server = createServer((socket) => socket.end('answer')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    await once(socket, 'connect');
    const answer = once(socket, 'data').then(([data]) => String(data));
    const inTime = withinTime(answer, 20, 'late');
    // The server is in this process: its part is done in one turn, and what it sent read in the next.
    setImmediate(() => keepBusy(60));
    assert.equal(await inTime, 'answer');
    server.close();
  });

  it('counts of a time in which the process was busy no more than a part', async () => {
    const patience = new Patience(200);
    const soon = (): Promise<string> => new Promise((resolve) => setImmediate(resolve, 'answer'));
    const slow = soon().then(soon).then(soon).then(soon);
    const inTime = patience.waitFor(slow, 'late');
    keepBusy(600);
    assert.equal(await inTime, 'answer');
    assert.ok(patience.left > 100, `${patience.left} ms are left`);
  });

  it('counts what was waited for one thing after the other', async () => {
    const patience = new Patience(40);
    assert.equal(await patience.waitFor(delay(20, 'here'), 'late'), 'here');
    assert.ok(patience.left > 0 && patience.spent > 0, `${patience.left} ms are left`);
    assert.equal(await patience.waitFor(delay(1_000, 'here'), 'late'), 'late');
    assert.deepEqual([patience.left, patience.spent], [0, 40]);
    assert.equal(await patience.waitFor(delay(1_000, 'here'), 'late'), 'late');
  });
});
