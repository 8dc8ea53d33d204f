import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { hasPrograms, REPOSITORY, temporaryDirectory } from '../support/command-line.js';
import { type TestServer, testServer } from '../support/server.js';

const run = promisify(execFile);

/** A block of commands in the README, and the block of output that follows it. */
interface Step {
  readonly commands: string;
  readonly output: string;
}

async function stepsOfReadme(): Promise<Step[]> {
  const text = await readFile(`${REPOSITORY}/README.md`, 'utf8');
  const pairs = text.matchAll(/```sh\n(.*?)```\n(?:\n```text\n(.*?)```)?/gs);
  return [...pairs]
    .map(([, commands = '', output = '']) => ({ commands, output }))
    .filter(({ commands }) => !commands.startsWith('npm '));
}

/** The output with what differs from run to run left out: ids, times, and where the server listens. */
function normalised(output: string): string {
  return output
    .replace(/\b(apr|dec|key|req)_[0-9a-f-]{32,}/g, '$1_…')
    .replace(/\d{4}-\d{2}-\d{2}T[\d:.]+Z/g, 'TIME')
    .trim();
}

describe('the README', () => {
  let server: TestServer | undefined;
  let directory: Awaited<ReturnType<typeof temporaryDirectory>> | undefined;

  // A clone as a new user has it: the bundle under git, the server's address and key beside it.
  before(async function () {
    if (!hasPrograms('bash', 'curl', 'git', 'sed')) this.skip();
    server = await testServer();
    directory = await temporaryDirectory({ '.gitignore': '.countersign/\n' });
    for (const folder of ['policies', 'models']) {
      await cp(`${REPOSITORY}/${folder}`, `${directory.path}/${folder}`, { recursive: true });
    }
    const identity = ['-c', 'user.name=test', '-c', 'user.email=test@example.com'];
    for (const argv of [
      ['init', '-q'],
      ['add', '.'],
      [...identity, 'commit', '-qm', 'clone'],
    ]) {
      await run('git', argv, { cwd: directory.path });
    }
    await mkdir(`${directory.path}/.countersign`);
    const named = JSON.stringify({ address: server.url, pid: process.pid });
    await writeFile(`${directory.path}/.countersign/server.json`, named);
    await writeFile(`${directory.path}/.countersign/root.key`, `${server.rootKey}\n`);
  });
  after(async () => {
    await server?.close();
    await directory?.remove();
  });

  it('shows what its commands print', async () => {
    const steps = await stepsOfReadme();
    const script = steps.map(
      ({ commands }) =>
        `${commands.replaceAll('127.0.0.1:7400', `127.0.0.1:${server!.port}`)}echo; echo "@@"\n`,
    );
    const npx = `npx() { shift; "${process.execPath}" "${REPOSITORY}/dist/main.js" "$@"; }\n`;
    const { PATH = '', HOME = '' } = process.env;
    const { stdout } = await run('bash', ['-c', `exec 2>&1\n${npx}${script.join('')}`], {
      cwd: directory!.path,
      env: { PATH, HOME, LC_ALL: 'C' },
      timeout: 60_000,
    });
    const printed = stdout.split('\n@@\n').slice(0, -1);
    assert.ok(steps.length > 10);
    assert.deepEqual(
      steps.map(({ commands }, index) => [commands, normalised(printed[index] ?? '')]),
      steps.map(({ commands, output }) => [commands, normalised(output)]),
    );
  }).timeout(60_000);
});

describe('the links of the README', () => {
  it('lead to files and folders that are there', async () => {
    const text = await readFile(`${REPOSITORY}/README.md`, 'utf8');
    const links = [...text.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, path = '']) => path);
    assert.ok(links.length > 5);
    assert.deepEqual(
      links.filter((path) => !existsSync(`${REPOSITORY}/${path}`)),
      [],
    );
  });
});
