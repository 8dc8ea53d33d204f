import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lockDataDir } from '../../../src/platform/embedded-postgres/data-lock.js';
import { processOf } from '../../../src/platform/embedded-postgres/processes.js';

describe('the lock of a data directory', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'countersign-lock-'));
  });
  afterEach(() => rm(dir, { recursive: true }));

  const place = (text: string) => writeFileSync(join(dir, 'postgres.lock'), text);

  it('is held until it is given back, and leaves nothing behind', () => {
    const unlock = lockDataDir(dir);
    assert.throws(() => lockDataDir(dir), new RegExp(`\\(process ${process.pid}\\)`));
    unlock();
    lockDataDir(dir)();
    assert.deepEqual(readdirSync(dir), []);
  });

  it('of a living process is respected, whoever wrote it', () => {
    place(JSON.stringify({ pid: process.ppid, started: processOf(process.ppid)?.started }));
    assert.throws(() => lockDataDir(dir), new RegExp(`\\(process ${process.ppid}\\)`));
  });

  it('is void where its process is gone, or its id belongs to another by now', () => {
    for (const lock of [
      { pid: 2 ** 22 + 1, started: '1' },
      { pid: process.pid, started: '1' },
    ]) {
      place(JSON.stringify(lock));
      lockDataDir(dir)();
    }
  });

  it('is void where it cannot be read as one', () => {
    for (const text of ['', 'garbage', '{}', 'null', '{"pid":"x"}', `{"pid":${process.pid}}`]) {
      place(text);
      lockDataDir(dir)();
    }
    assert.deepEqual(readdirSync(dir), []);
  });
});
