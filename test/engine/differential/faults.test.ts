import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { type Fault, FAULTS } from './faults.js';

const ROOT = resolve(import.meta.dirname, '../../..');
const run = promisify(execFile);

/** How many copies are tried at once. */
const LANES = 2;

/** What the engine and its tests are made of, and need. */
const COPIED = [
  'src/engine',
  'src/platform/turns.ts',
  'src/vocabulary.ts',
  'test/engine',
  'package.json',
];

/** A copy of the engine and of what tests it, in a folder of its own. */
async function copyTo(folder: string): Promise<void> {
  await mkdir(folder);
  for (const path of COPIED) {
    await cp(join(ROOT, path), join(folder, path), { recursive: true });
  }
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
}

/** Writes the fault into a copy. Its text must be there once: else the list of faults is out of date. */
async function spoil(folder: string, { file, find, replace }: Fault): Promise<void> {
  const path = join(folder, 'src/engine/indexed', file);
  const text = await readFile(path, 'utf8');
  const times = text.split(find).length - 1;
  assert.equal(
    times,
    1,
    `\`${find}\` occurs ${times} times in ${file}; adapt the fault in faults.ts`,
  );
  await writeFile(
    path,
    text.replace(find, () => replace),
  );
}

/** What the probe says of a copy with this fault; undefined for one without. */
async function probed(folder: string, fault: Fault | undefined): Promise<string> {
  await copyTo(folder);
  if (fault !== undefined) await spoil(folder, fault);
  const probe = join(folder, 'test/engine/differential/probe.ts');
  const under = fault?.under === undefined ? [] : [fault.under];
  const command = ['--import', 'tsx/esm', probe, ...under];
  const { stdout } = await run(process.execPath, command, { cwd: folder });
  return stdout.trim();
}

describe('holding the engine against node-casbin', function () {
  this.timeout(300_000);
  /** What the probe said of each copy, or why there was none. */
  const outcomes = new Map<Fault | undefined, string>();
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'engine-faults-'));
    const waiting = [undefined, ...FAULTS].entries();
    const tryWaiting = async (): Promise<void> => {
      for (const [index, fault] of waiting) {
        const copy = join(folder, String(index));
        outcomes.set(fault, await probed(copy, fault).catch(String));
      }
    };
    await Promise.all(Array.from({ length: LANES }, tryWaiting));
  });
  after(() => rm(folder, { recursive: true }));

  it('finds no difference in a copy without a fault', () => {
    assert.equal(outcomes.get(undefined), 'same');
  });

  for (const fault of FAULTS) {
    it(`notices an engine that ${fault.name}`, () => {
      assert.match(outcomes.get(fault) ?? '', /^different /);
    });
  }
});
