import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';
import { InvalidBundle, SettingsError } from '../../src/errors.js';
import { commandLine, hasPrograms, REPOSITORY } from '../support/command-line.js';
import { PROGRAM } from '../support/program.js';

describe('the command line', () => {
  it('shows its commands and is done', async () => {
    const { exitCode, stdout } = await commandLine(['--help']);
    assert.equal(exitCode, 0);
    for (const command of ['serve', 'check', 'policy', 'approval', 'key', 'migrate']) {
      assert.match(stdout, new RegExp(`^  ${command} `, 'm'));
    }
  });

  it('shows the version of package.json', async () => {
    const { exitCode, stdout } = await commandLine(['--version']);
    assert.equal(exitCode, 0);
    assert.match(stdout, /^\d+\.\d+\.\d+\n$/);
  });

  it('exits with 2 for usage that is wrong, and says so on standard error', async () => {
    for (const argv of [
      ['nonsense'],
      ['check', 'alice'],
      ['check', 'a', 'b', 'c:d', '--nonsense'],
      ['policy', 'rollback', 'seven'],
      ['policy', 'rollback', '-1'],
      ['check', 'a', 'b', 'c:d', '--properties', 'no-equals-sign'],
      ['check', 'a', 'b', 'c:d', '--context', '{"half":'],
      ['policy'],
      [],
    ]) {
      const ran = await commandLine(argv);
      assert.equal(ran.exitCode, 2, argv.join(' '));
      assert.equal(ran.stdout, '', argv.join(' '));
      assert.notEqual(ran.stderr, '', argv.join(' '));
    }
  });

  it('hands the environment, the folder and --watch to the server, and exits as it does', async () => {
    const served: unknown[] = [];
    const around = {
      cwd: '/somewhere',
      env: { PORT: '0' },
      serve: async (options: object) => {
        served.push(options);
        return served.length === 1 ? 0 : 1;
      },
    };
    assert.equal((await commandLine(['serve'], around)).exitCode, 0);
    assert.equal((await commandLine(['serve', '--watch'], around)).exitCode, 1);
    assert.deepEqual(served, [
      { env: { PORT: '0' }, cwd: '/somewhere', watch: false },
      { env: { PORT: '0' }, cwd: '/somewhere', watch: true },
    ]);
  });

  it('exits with 2 for settings that are wrong, naming each', async () => {
    const serve = () => Promise.reject(new SettingsError(['`PORT` must be …', '`HOST` must be …']));
    const ran = await commandLine(['serve'], { serve });
    assert.equal(ran.exitCode, 2);
    assert.equal(ran.stderr, 'error: `PORT` must be …\n`HOST` must be …\n');
  });

  it('exits with 3 where the first bundle of a server has faults, with their places', async () => {
    const fault = { file: 'rules/a.csv', line: 3, column: 4, message: 'wrong' };
    const serve = () => Promise.reject(new InvalidBundle([fault]));
    const ran = await commandLine(['serve'], { serve });
    assert.equal(ran.exitCode, 3);
    assert.equal(ran.stderr, 'policies/rules/a.csv:3:4: wrong\nerror: 1 fault in the bundle\n');
  });

  it('exits with 1 and without a stack for what nobody foresaw', async () => {
    const serve = () => Promise.reject(new AggregateError([new Error('one'), new Error('two')]));
    const ran = await commandLine(['serve'], { serve });
    assert.deepEqual(ran, { exitCode: 1, stdout: '', stderr: 'error: one; two\n' });
  });

  it('runs as a program, and passes its exit code on', async () => {
    const run = promisify(execFile);
    const argv = [PROGRAM, 'policy', 'validate', 'docs'];
    await assert.rejects(run(process.execPath, argv, { cwd: REPOSITORY }), (error: object) => {
      assert.ok('code' in error && error.code === 3);
      assert.match('stderr' in error ? String(error.stderr) : '', /^docs\/bundle\.yaml:1:1: /m);
      return true;
    });
  });

  it('is content with a reader that has seen enough, and not with a full disk', async function () {
    if (!hasPrograms('bash', 'head')) this.skip();
    const run = promisify(execFile);
    const command = `"${process.execPath}" "${PROGRAM}" policy test policies`;
    const piped = `(${command}; echo "exit $?" >&2) | head -n 1`;
    const { stdout, stderr } = await run('bash', ['-c', piped], { cwd: REPOSITORY });
    assert.equal(stdout, 'policies/tests/documents.yaml\n');
    assert.equal(stderr, 'exit 0\n');
    if (!existsSync('/dev/full')) return;
    const full = run('bash', ['-c', `${command} > /dev/full`], { cwd: REPOSITORY });
    await assert.rejects(full, (error: object) => {
      assert.ok('code' in error && error.code === 1);
      assert.match('stderr' in error ? String(error.stderr) : '', /^error: the output cannot be/);
      return true;
    });
  });

  it('ends on a terminal that has no width', async function () {
    // Other systems have a `script` too, with other options.
    if (process.platform !== 'linux' || !hasPrograms('script')) this.skip();
    const command = `"${process.execPath}" "${PROGRAM}" policy validate policies`;
    const run = promisify(execFile);
    const argv = ['-qec', command, '/dev/null'];
    const { stdout } = await run('script', argv, { cwd: REPOSITORY, timeout: 15_000 });
    assert.match(stdout, /valid/);
  });
});
