import assert from 'node:assert/strict';
import { answering, codeError, commandLine, temporaryDirectory } from '../support/command-line.js';

const none = { body: { items: [], next: null } };

/** Whom `key list` asks, and with which credential. */
async function asked(env: NodeJS.ProcessEnv, cwd: string, ...argv: string[]) {
  const server = answering(none);
  const ran = await commandLine(['key', 'list', ...argv], { env, cwd, fetch: server.fetch });
  const [call] = server.asked;
  return { ...ran, url: call?.url.split('/v1/')[0], authorization: call?.authorization };
}

describe('where a command finds its server', () => {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
  before(async () => {
    directory = await temporaryDirectory({
      'data/server.json': '{"address": "http://127.0.0.1:7401", "pid": 1234}\n',
      'data/root.key': 'root-key-of-the-data-directory-0\n',
      'broken/server.json': '{"address": 7}',
    });
  });
  after(() => directory.remove());
  const local = { COUNTERSIGN_DATA_DIR: 'data' };

  it('takes what the command line says before the environment', async () => {
    const env = { COUNTERSIGN_URL: 'http://env:1', COUNTERSIGN_KEY: 'env-key', ...local };
    const fromEnv = await asked(env, directory.path);
    assert.equal(fromEnv.url, 'http://env:1');
    assert.equal(fromEnv.authorization, 'Bearer env-key');
    const argv = ['--server', 'https://arg:2/base/', '--key', 'arg-key'];
    const fromArgv = await asked(env, directory.path, ...argv);
    assert.equal(fromArgv.url, 'https://arg:2/base');
    assert.equal(fromArgv.authorization, 'Bearer arg-key');
  });

  it('takes the embedded server and its root key where neither says anything', async () => {
    const { url, authorization } = await asked(local, directory.path);
    assert.equal(url, 'http://127.0.0.1:7401');
    assert.equal(authorization, 'Bearer root-key-of-the-data-directory-0');
  });

  it('takes the root key of the environment before that of the file', async () => {
    const env = { ...local, COUNTERSIGN_ROOT_KEY: 'r'.repeat(32) };
    const { authorization } = await asked(env, directory.path);
    assert.equal(authorization, `Bearer ${'r'.repeat(32)}`);
  });

  it('takes a key of a person to the embedded server', async () => {
    const { url, authorization } = await asked(local, directory.path, '--key', 'csk_carol');
    assert.equal(url, 'http://127.0.0.1:7401');
    assert.equal(authorization, 'Bearer csk_carol');
  });

  it('never takes the root key to another server', async () => {
    const ran = await asked(local, directory.path, '--server', 'http://elsewhere:7400');
    assert.equal(ran.exitCode, 2);
    assert.equal(ran.authorization, undefined);
    assert.match(ran.stderr, /^error: no key for that server; pass `--key KEY`/);
  });

  it('exits with 5 where no server runs', async () => {
    const ran = await asked({ COUNTERSIGN_DATA_DIR: 'empty' }, directory.path);
    assert.equal(ran.exitCode, 5);
    assert.match(ran.stderr, /no server runs on `.*empty`; start one with `countersign serve`/);
  });

  it('says so where its file is damaged', async () => {
    const ran = await asked({ COUNTERSIGN_DATA_DIR: 'broken' }, directory.path);
    assert.equal(ran.exitCode, 1);
    assert.match(ran.stderr, /server\.json` is damaged/);
  });

  it('refuses addresses that are none, and does not repeat a password in one', async () => {
    for (const address of [
      'server:7400',
      'ftp://server',
      'http://user:s3cret@server',
      'nonsense',
      'http://server/?a=b',
    ]) {
      const ran = await asked({}, directory.path, '--server', address, '--key', 'k');
      assert.equal(ran.exitCode, 2, address);
      assert.ok(!ran.stderr.includes('s3cret'));
    }
  });

  it('refuses keys that cannot be sent, and does not repeat them', async () => {
    const ran = await asked({ COUNTERSIGN_URL: 'http://s:1', COUNTERSIGN_KEY: 'csk_a\nb' }, '.');
    assert.equal(ran.exitCode, 2);
    assert.ok(!ran.stderr.includes('csk_a'));
  });

  it('exits with 5 where nothing answers, and says which process it looked for', async () => {
    const fetch = (code: string) => () =>
      Promise.reject(new TypeError('fetch failed', { cause: codeError(code) }));
    const refused = await commandLine(['key', 'list'], {
      env: local,
      cwd: directory.path,
      fetch: fetch('ECONNREFUSED'),
    });
    assert.equal(refused.exitCode, 5);
    assert.equal(
      refused.stderr,
      'error: cannot reach the server at `http://127.0.0.1:7401`: nothing listens there; `server.json` names process 1234, start it again with `countersign serve`\n',
    );
    const unknown = await commandLine(
      ['key', 'list', '--server', 'http://no.such:1', '--key', 'k'],
      {
        fetch: fetch('ENOTFOUND'),
      },
    );
    assert.equal(unknown.exitCode, 5);
    assert.equal(
      unknown.stderr,
      'error: cannot reach the server at `http://no.such:1`: no such host\n',
    );
  });

  it('gives up on a server that is silent', async () => {
    const fetch = () => Promise.reject(new DOMException('timed out', 'TimeoutError'));
    const ran = await commandLine(['key', 'list', '--server', 'http://s:1', '--key', 'k'], {
      fetch,
    });
    assert.equal(ran.exitCode, 5);
    assert.match(ran.stderr, /no answer in time/);
  });
});
