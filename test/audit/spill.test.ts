import assert from 'node:assert/strict';
import {
  appendFile,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { COLUMNS, type StoredRow } from '../../src/audit/audit-row.js';
import { lineOf, rowOfLine } from '../../src/audit/spill-line.js';
import { Spill } from '../../src/audit/spill.js';
import { createLogger } from '../../src/platform/log.js';

/** The longest that an owner may leave its files unmarked, and more. */
const LONG = 60_000;

function row(id: string, count = 1): StoredRow {
  const values = COLUMNS.map(([name]) => (name === 'id' ? id : null));
  return { count, values };
}

function logged(line: string): { level: string; message: string } {
  const { level, msg } = JSON.parse(line) as { level: string; msg: string };
  return { level, message: msg };
}

function idsOf(rows: readonly StoredRow[]): (string | null | undefined)[] {
  return rows.map(({ values }) => values[0]);
}

describe('the spill of the audit', () => {
  let root: string;
  let folder: string;
  const made: Spill[] = [];
  let elapsed = 0;
  let wall = Date.parse('2026-11-22T12:00:00Z');
  const lines: { readonly level: string; readonly message: string }[] = [];
  const write = (line: string) => void lines.push(logged(line));
  const log = createLogger('warn', { write });
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'countersign-spill-'));
    folder = join(root, 'audit-spill');
    lines.length = 0;
  });
  afterEach(async () => {
    await Promise.all(made.splice(0).map((each) => each.close()));
    await rm(root, { recursive: true, force: true });
  });

  function spill(maxBytes = 1024 * 1024): Spill {
    const clock = { now: () => (wall += 1) };
    const opened = new Spill({ folder, maxBytes, log, clock, elapsed: () => elapsed });
    made.push(opened);
    return opened;
  }

  async function replayed(from: Spill): Promise<(string | null | undefined)[]> {
    const ids: (string | null | undefined)[] = [];
    while (from.waits) await from.replay(async (rows) => void ids.push(...idsOf(rows)));
    return ids;
  }

  async function files(): Promise<string[]> {
    return (await readdir(folder)).sort();
  }

  /** A file as a process leaves it that was killed. */
  async function abandoned(text: string): Promise<string> {
    const writer = spill();
    await writer.append([row('placeholder')]);
    const [name = ''] = await files();
    await writeFile(join(folder, name), text);
    return name;
  }

  /** Looks as often as it takes to see that nobody marks a file. */
  async function lookLong(taker: Spill): Promise<void> {
    await taker.look();
    elapsed += LONG;
    // The first look after a long time gives up what was its own.
    await taker.look();
    await taker.look();
  }

  it('hands back what it was given, in its order, and is gone afterwards', async () => {
    const kept = spill();
    assert.equal(kept.waits, false);
    await kept.append([row('a'), row('b', 100)]);
    await kept.append([row('c')]);
    assert.equal(kept.waits, true);
    const counts: number[] = [];
    await kept.replay(async (rows) => void counts.push(...rows.map(({ count }) => count)));
    assert.deepEqual(counts, [1, 100, 1]);
    assert.equal(kept.waits, false);
    assert.deepEqual(await files(), []);
  });

  it('hands out no more than 1,000 events at a time', async () => {
    const kept = spill();
    await kept.append(Array.from({ length: 25 }, (_, index) => row(`${index}`, 100)));
    const sizes: number[] = [];
    while (kept.waits) await kept.replay(async (rows) => void sizes.push(rows.length));
    assert.deepEqual(sizes, [10, 10, 5]);
  });

  it('hands back a row that is longer than what is read at a time', async () => {
    const kept = spill(64 * 1024 * 1024);
    const long = 'x'.repeat(3_000_000);
    await kept.append([row('a'), row(long), row('b')]);
    assert.deepEqual(await replayed(kept), ['a', long, 'b']);
  });

  it('keeps what could not be replayed', async () => {
    const kept = spill();
    await kept.append([row('a')]);
    await assert.rejects(
      kept.replay(() => Promise.reject(new Error('away'))),
      /away/,
    );
    assert.deepEqual(await replayed(kept), ['a']);
  });

  it('is for nobody else to read', async () => {
    await spill().append([row('a')]);
    const [name = ''] = await files();
    assert.equal((await stat(join(folder, name))).mode & 0o777, 0o600);
    assert.equal((await stat(folder)).mode & 0o777, 0o700);
  });

  it('has no room when it is full, says so once, and has some when it was replayed', async () => {
    const kept = spill(1_000);
    let taken = 0;
    for (; kept.hasRoom(100); taken += 1) await kept.append([row(`row ${taken}`)]);
    assert.ok(taken > 1, `${taken} rows were taken`);
    assert.equal(kept.hasRoom(100), false);
    assert.equal(await kept.append([row('taken before')]), true, 'what was taken is kept');
    kept.accept();
    assert.equal(kept.state.refuses, true);
    assert.deepEqual(
      lines.map(({ level }) => level),
      ['error'],
    );
    assert.equal((await replayed(kept)).length, taken + 1);
    assert.equal(kept.hasRoom(100), true);
    kept.accept();
    assert.equal(kept.state.refuses, false);
  });

  it('takes nothing where it cannot write, says so once, and goes on when it can', async () => {
    await writeFile(folder, 'in the way');
    const kept = spill();
    assert.equal(await kept.append([row('a')]), false);
    assert.equal(await kept.append([row('a')]), false);
    assert.deepEqual(
      lines.map(({ level }) => level),
      ['error'],
    );
    await rm(folder);
    assert.equal(await kept.append([row('a')]), true);
    assert.deepEqual(await replayed(kept), ['a']);
  });

  it('leaves to the next process what was being written when it was closed', async () => {
    const former = spill();
    const appended = former.append([row('a')]);
    await former.close();
    assert.equal(await appended, true);
    const next = spill();
    await next.look();
    assert.deepEqual(await replayed(next), ['a']);
    assert.deepEqual(await files(), []);
  });

  it('leaves what waits to the next process, which takes it at once', async () => {
    const former = spill();
    await former.append([row('a'), row('b')]);
    await former.close();
    const next = spill();
    await next.look();
    assert.deepEqual(await replayed(next), ['a', 'b']);
    assert.deepEqual(await files(), []);
  });

  it('leaves no empty file behind', async () => {
    const former = spill();
    await former.append([row('a')]);
    await replayed(former);
    await former.close();
    assert.deepEqual(await files(), []);
  });

  it('counts what others keep in the same folder', async () => {
    const former = spill();
    await former.append(Array.from({ length: 10 }, (_, index) => row(`row ${index}`)));
    const other = spill(1_000);
    await other.look();
    assert.equal(other.hasRoom(100), false);
  });

  it('takes the file of a process that is gone, but not of one that runs', async () => {
    const owner = spill();
    await owner.append([row('a')]);
    const other = spill();
    for (let time = 0; time < LONG; time += 2_000) {
      await owner.look();
      await other.look();
      elapsed += 2_000;
    }
    assert.equal(other.waits, false);
    for (let time = 0; time < LONG; time += 2_000) {
      await other.look();
      elapsed += 2_000;
    }
    assert.deepEqual(await replayed(other), ['a']);
  });

  it('gives a file that was left to one process only', async () => {
    const names = Array.from({ length: 20 }, (_, index) => `row ${index}`);
    for (const name of names) {
      const former = spill();
      await former.append([row(name)]);
      await former.close();
    }
    const takers = [spill(), spill(), spill()];
    await Promise.all(takers.map((taker) => taker.look()));
    const found = await Promise.all(takers.map(replayed));
    assert.deepEqual(found.flat().sort(), names.sort());
  });

  it('loses nothing of an owner that slept while another took its file', async () => {
    const owner = spill();
    await owner.append([row('before')]);
    const other = spill();
    for (let time = 0; time < LONG; time += 2_000) {
      await other.look();
      elapsed += 2_000;
    }
    assert.deepEqual(await replayed(other), ['before']);
    await owner.append([row('after')]);
    assert.deepEqual(await replayed(owner), ['after']);
  });

  it('replays everything before a line that a crash cut short, and tells of it', async () => {
    const whole = [lineOf(row('a')), lineOf(row('b'))];
    await abandoned(`${whole.join('')}${lineOf(row('torn')).slice(0, -20)}`);
    const next = spill();
    await lookLong(next);
    assert.deepEqual(await replayed(next), ['a', 'b']);
    assert.match(lines.at(-1)?.message ?? '', /cut short/);
    assert.deepEqual(await files(), []);
  });

  it('replays everything but a line that was changed, and keeps that file', async () => {
    const [a, b, c] = [lineOf(row('a')), lineOf(row('b')), lineOf(row('c'))];
    await abandoned([a, b.replace('"b"', '"x"'), c].join(''));
    const next = spill();
    await lookLong(next);
    assert.deepEqual(await replayed(next), ['a', 'c']);
    assert.equal(lines.at(-1)?.level, 'error');
    assert.match((await files()).join(), /\.damaged$/);
  });

  it('follows no link', async () => {
    const target = join(root, 'elsewhere');
    await writeFile(target, lineOf(row('a')));
    await spill().append([row('placeholder')]);
    await symlink(target, join(folder, 'left-1-abcdef01-1.spill'));
    const next = spill();
    await next.look();
    assert.equal(next.waits, false);
    assert.equal(await readFile(target, 'utf8'), lineOf(row('a')));
  });

  it('knows a line that is not as it was written', () => {
    const line = lineOf(row('a')).slice(0, -1);
    assert.deepEqual(rowOfLine(line), row('a'));
    for (let place = 0; place < line.length; place++) {
      const other = line[place] === '1' ? '2' : '1';
      const changed = line.slice(0, place) + other + line.slice(place + 1);
      assert.equal(rowOfLine(changed), undefined, changed);
      assert.equal(rowOfLine(line.slice(0, place)), undefined);
    }
  });

  it('ignores what is not its own in the folder', async () => {
    await spill().append([row('placeholder')]);
    await appendFile(join(folder, 'left-notes.txt'), 'mine');
    const next = spill();
    await next.look();
    assert.equal(next.waits, false);
  });
});
