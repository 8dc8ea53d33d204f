import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { MAX_BUNDLE_BYTES } from '../../src/policy/bundle-file-set.js';
import { readBundleDirectory } from '../../src/policy/bundle-directory.js';
import { faultsOf } from './support.js';

describe('reading the directory of a bundle', () => {
  let base: string;
  let bundle: string;
  beforeEach(() => {
    base = mkdtempSync(join(tmpdir(), 'countersign-bundle-'));
    bundle = join(base, 'policies');
    write('policies/bundle.yaml', 'name: t\nmodel: acl\n');
  });
  afterEach(() => rmSync(base, { recursive: true }));

  function write(path: string, content: string | Buffer): void {
    const full = join(base, path);
    mkdirSync(dirname(full), { recursive: true });
    writeFileSync(full, content);
  }
  const filesOf = async () => [...(await readBundleDirectory(bundle)).files.keys()].sort();

  it('takes the files that have a part in it and warns of others', async () => {
    for (const path of ['rules/a.csv', 'governance/a.yaml', 'governance/b.yml', 'tests/a.yml']) {
      write(`policies/${path}`, path);
    }
    write('policies/models/own.conf', 'm');
    write('policies/rules/a.txt', '');
    write('policies/rules/deep/b.csv', '');
    write('policies/README.md', '');
    write('policies/.git/config', '');
    write('policies/notes.txt', '');
    const { files, warnings } = await readBundleDirectory(bundle);
    assert.deepEqual(
      [...files].sort().map(([path, text]) => (path === text ? path : `${path}: ${text}`)),
      [
        'bundle.yaml: name: t\nmodel: acl\n',
        'governance/a.yaml',
        'governance/b.yml',
        'models/own.conf: m',
        'rules/a.csv',
        'tests/a.yml',
      ],
    );
    assert.deepEqual(
      warnings.map(({ file }) => file),
      ['notes.txt', 'rules/a.txt', 'rules/deep'],
    );
  });

  it('finds a model by name beside the bundle, where the bundle has none', async () => {
    write('models/acl.conf', 'beside');
    const beside = await readBundleDirectory(bundle);
    assert.equal(beside.files.get('models/acl.conf'), 'beside');
    write('policies/models/acl.conf', 'inside');
    const inside = await readBundleDirectory(bundle);
    assert.equal(inside.files.get('models/acl.conf'), 'inside');
  });

  it('finds a model by its path in the bundle', async () => {
    write('policies/bundle.yaml', 'name: t\nmodel: casbin/my.conf\n');
    write('policies/casbin/my.conf', 'm');
    assert.deepEqual(await filesOf(), ['bundle.yaml', 'casbin/my.conf']);
    write('policies/bundle.yaml', 'name: t\nmodel: my.conf\n');
    write('policies/my.conf', 'm');
    const { files, warnings } = await readBundleDirectory(bundle);
    assert.equal(files.get('my.conf'), 'm');
    assert.deepEqual(
      warnings.map(({ file }) => file),
      ['casbin'],
    );
  });

  it('reads no model from a path that leaves the bundle', async () => {
    write('secret.conf', 'secret');
    for (const path of ['../secret.conf', join(base, 'secret.conf')]) {
      write('policies/bundle.yaml', `name: t\nmodel: ${path}\n`);
      assert.deepEqual(await filesOf(), ['bundle.yaml']);
    }
  });

  it('refuses links that leave the bundle, and follows those that stay', async () => {
    write('policies/data/a.csv', 'p, a');
    mkdirSync(join(bundle, 'rules'));
    symlinkSync('../data/a.csv', join(bundle, 'rules/a.csv'));
    assert.equal((await readBundleDirectory(bundle)).files.get('rules/a.csv'), 'p, a');
    write('outside.csv', 'p, secret');
    symlinkSync('../../outside.csv', join(bundle, 'rules/b.csv'));
    symlinkSync('../../nowhere.csv', join(bundle, 'rules/c.csv'));
    mkdirSync(join(base, 'elsewhere'));
    symlinkSync('../elsewhere', join(bundle, 'tests'));
    assert.deepEqual(await faultsOf(readBundleDirectory(bundle)), [
      'rules/b.csv:1:1: a symbolic link that leaves the bundle; put the file itself here',
      'rules/c.csv:1:1: the file cannot be read (ENOENT)',
      'tests:1:1: a symbolic link that leaves the bundle; put the file itself here',
    ]);
  });

  it('follows no link from the models beside it to somewhere else', async () => {
    mkdirSync(join(base, 'models'));
    symlinkSync('/etc/hostname', join(base, 'models/acl.conf'));
    assert.deepEqual(await faultsOf(readBundleDirectory(bundle)), [
      'models/acl.conf:1:1: a symbolic link that leaves the bundle; put the file itself here',
    ]);
  });

  it('follows a link to the bundle itself', async () => {
    symlinkSync('policies', join(base, 'current'));
    const { files } = await readBundleDirectory(join(base, 'current'));
    assert.deepEqual([...files.keys()], ['bundle.yaml']);
  });

  it('refuses what is no file, without waiting for it', async () => {
    mkdirSync(join(bundle, 'rules'));
    execFileSync('mkfifo', [join(bundle, 'rules/a.csv')]);
    mkdirSync(join(bundle, 'rules/b.csv'));
    assert.deepEqual(await faultsOf(readBundleDirectory(bundle)), [
      'rules/a.csv:1:1: this is no file',
      'rules/b.csv:1:1: this is no file',
    ]);
  });

  it('tells where a file stops being UTF-8', async () => {
    const bytes = [Buffer.from('# \uFFFD ok\np, '), Buffer.from([0xff, 0xfe]), Buffer.from('x')];
    write('policies/rules/a.csv', Buffer.concat(bytes));
    write('policies/rules/b.csv', Buffer.from([0xc3]));
    assert.deepEqual(await faultsOf(readBundleDirectory(bundle)), [
      'rules/a.csv:2:4: the file is no valid UTF-8 from here; save it as UTF-8',
      'rules/b.csv:1:1: the file is no valid UTF-8 from here; save it as UTF-8',
    ]);
  });

  it('refuses more than 64 MiB without reading it all', async () => {
    write('policies/rules/a.csv', '');
    truncateSync(join(bundle, 'rules/a.csv'), MAX_BUNDLE_BYTES + 1);
    const [fault] = await faultsOf(readBundleDirectory(bundle));
    assert.match(fault ?? '', /at most 64 MiB/);
  });

  it('says so where there is no directory', async () => {
    const [fault] = await faultsOf(readBundleDirectory(join(base, 'nowhere')));
    assert.match(fault ?? '', /there is no directory/);
    await faultsOf(readBundleDirectory(join(bundle, 'bundle.yaml')));
  });
});
