import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { processOf } from '../../../src/platform/embedded-postgres/processes.js';

describe('processOf', () => {
  it('knows a running process by its program and its start', () => {
    const own = processOf(process.pid);
    assert.match(own?.program ?? '', /node/);
    assert.deepEqual(processOf(process.pid), own);
  });

  it('knows no process that has ended, taken notice of or not', async () => {
    // What becomes of the shell never asks for the child that the shell had.
    const shell = spawn('/bin/sh', ['-c', 'sleep 0.1 & echo $!; exec sleep 60']);
    const [line] = (await once(shell.stdout, 'data')) as [Buffer];
    const ended = Number(line.toString());
    const deadline = performance.now() + 5_000;
    while (processOf(ended)) {
      assert.ok(performance.now() < deadline, 'it still counts as running');
      await sleep(5);
    }
    assert.ok(process.kill(ended, 0));
    shell.kill('SIGKILL');
    await once(shell, 'exit');
    assert.equal(processOf(shell.pid ?? 0), undefined);
  });
});
