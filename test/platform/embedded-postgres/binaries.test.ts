import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmod, cp, mkdtemp, rm } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SettingsError } from '../../../src/errors.js';
import { canReach, databaseAccount } from '../../../src/platform/embedded-postgres/account.js';
import {
  type Binaries,
  findBinaries,
  runnableBinaries,
} from '../../../src/platform/embedded-postgres/binaries.js';

describe('the programs of the embedded Postgres', function () {
  this.timeout(30_000);
  let dir: string;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'countersign-binaries-'));
    await chmod(dir, 0o755);
  });
  after(() => rm(dir, { recursive: true }));

  /** The installed programs as npm unpacks them without install scripts: no links. */
  async function unlinkedCopy(name: string): Promise<Binaries> {
    const installed = await findBinaries();
    const root = join(dir, name);
    await cp(installed.root, root, { recursive: true, verbatimSymlinks: true });
    const links = JSON.parse(readFileSync(join(root, 'pg-symlinks.json'), 'utf8')) as {
      target: string;
    }[];
    for (const { target } of links)
      await rm(join(root, target.replace('native/', '')), { force: true });
    return { ...installed, root };
  }

  function versionSaidBy(binaries: Binaries, uid?: number): string {
    const program = join(binaries.root, 'bin', 'postgres');
    return spawnSync(program, ['--version'], { encoding: 'utf8', ...(uid ? { uid } : {}) }).stdout;
  }

  it('are there for this machine', async () => {
    const binaries = await runnableBinaries(await findBinaries(), undefined, dir);
    assert.equal(binaries.major, '18');
    assert.match(versionSaidBy(binaries), /18\.4/);
  });

  it('are asked for where there are none: on Windows, on musl, on rare processors', async () => {
    for (const machine of [
      { platform: 'win32', arch: 'x64', musl: false },
      { platform: 'linux', arch: 'x64', musl: true },
      { platform: 'linux', arch: 'riscv64', musl: false },
    ])
      await assert.rejects(findBinaries(machine), (error) => {
        assert.ok(error instanceof SettingsError);
        assert.match(error.message, /set `DATABASE_URL`/);
        return true;
      });
  });

  it('are asked for where their package was not installed', async () => {
    const other = process.platform === 'darwin' ? 'linux' : 'darwin';
    await assert.rejects(findBinaries({ platform: other, arch: 'arm64', musl: false }), {
      message: /`@embedded-postgres\/\w+-arm64` is not installed.*set `DATABASE_URL`/,
    });
  });

  it('get the links that install scripts would have made', async () => {
    const unlinked = await unlinkedCopy('unlinked');
    const runnable = await runnableBinaries(unlinked, undefined, dir);
    assert.equal(runnable.root, unlinked.root);
    assert.match(versionSaidBy(runnable), /18\.4/);
  });

  it('are copied to where the account can run them', async function () {
    if (process.getuid?.() !== 0) this.skip();
    const closed = await unlinkedCopy('closed');
    await chmod(closed.root, 0o700);
    const account = databaseAccount('');
    const copies = join(dir, 'copies');
    const runnable = await runnableBinaries(closed, account, copies);
    assert.notEqual(runnable.root, closed.root);
    assert.ok(canReach(join(runnable.root, 'bin', 'initdb'), account));
    assert.match(versionSaidBy(runnable, account?.uid), /18\.4/);
    assert.deepEqual(await runnableBinaries(closed, account, copies), runnable);
  });
});
