import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { EngineMaker } from './compare.js';
import { type Fault, FAULTS } from './faults.js';
import { firstToDiffer } from './probe.js';

const ROOT = resolve(import.meta.dirname, '../../..');

/** Runs in which a fault is looked for that does not show in its own: twice as many as any has needed. */
const ENOUGH = 100;

/** What the engine is made of, and needs. */
const COPIED = ['src/engine', 'src/platform/turns.ts', 'src/vocabulary.ts', 'package.json'];

/** A copy of the engine, in a folder of its own. */
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

describe('holding the engine against node-casbin', function () {
  this.timeout(120_000);
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'engine-faults-'));
  });
  after(() => rm(folder, { recursive: true }));

  /** The engine of a copy with this fault, or of one without any. */
  const copied = async (name: string, fault?: Fault): Promise<EngineMaker> => {
    const copy = join(folder, name);
    await copyTo(copy);
    if (fault !== undefined) await spoil(copy, fault);
    const made: unknown = await import(
      pathToFileURL(join(copy, 'src/engine/create-engine.ts')).href
    );
    return (made as { createEngine: EngineMaker }).createEngine;
  };

  it('finds no difference in a copy without a fault', async () => {
    const runs = new Set(FAULTS.map(({ run }) => run));
    assert.equal(firstToDiffer(await copied('none'), runs), undefined);
  });

  for (const [index, fault] of FAULTS.entries()) {
    it(`notices an engine that ${fault.name}`, async () => {
      const runs = [fault.run, ...Array(ENOUGH).keys()];
      const run = firstToDiffer(await copied(String(index), fault), runs);
      assert.notEqual(run, undefined, `it does not show in ${ENOUGH} runs`);
    });
  }
});
