import assert from 'node:assert/strict';
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SettingsError } from '../../src/errors.js';
import { ensureRootKeyFile } from '../../src/identity/root-key.js';

describe('the file of the root key', () => {
  let parent: string;
  let dataDir: string;
  let file: string;
  beforeEach(async () => {
    parent = await mkdtemp(join(tmpdir(), 'root-key-'));
    dataDir = join(parent, 'not', 'yet');
    file = join(dataDir, 'root.key');
  });
  afterEach(() => rm(parent, { recursive: true }));

  it('is made at the first start and read at every later one', async () => {
    const key = await ensureRootKeyFile(dataDir);
    assert.match(key, /^[A-Za-z0-9_-]{43}$/);
    assert.equal(await readFile(file, 'utf8'), `${key}\n`);
    assert.equal(await ensureRootKeyFile(dataDir), key);
  });

  it('can be read by its owner alone, also where somebody had opened it up', async () => {
    await ensureRootKeyFile(dataDir);
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    await chmod(file, 0o644);
    await ensureRootKeyFile(dataDir);
    assert.equal((await stat(file)).mode & 0o777, 0o600);
  });

  it('is another in another directory', async () => {
    assert.notEqual(await ensureRootKeyFile(dataDir), await ensureRootKeyFile(join(parent, 'b')));
  });

  it('holds what its owner wrote into it', async () => {
    await ensureRootKeyFile(dataDir);
    const own = 'my own root key, of more than 32 characters';
    await writeFile(file, `\n${own} \n`);
    assert.equal(await ensureRootKeyFile(dataDir), own);
  });

  for (const [what, text] of Object.entries({
    nothing: '',
    'a short key': 'x'.repeat(31),
    'two lines': `${'x'.repeat(40)}\n${'y'.repeat(40)}`,
  })) {
    it(`is refused where it holds ${what}, and left as it is`, async () => {
      await ensureRootKeyFile(dataDir);
      await writeFile(file, text);
      await assert.rejects(ensureRootKeyFile(dataDir), SettingsError);
      assert.equal(await readFile(file, 'utf8'), text);
    });
  }
});
