import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { settingNames, settingOf } from '../../src/platform/settings.js';
import { probePaths, ROOT, textOf } from './files.js';

/** The Dockerfile's instructions, those of several lines as one. */
const instructions = textOf('Dockerfile')
  .replace(/^#.*\n/gm, '')
  .replaceAll(/\\\n\s*/g, '')
  .split('\n')
  .filter((line) => line !== '');

/** What follows each instruction of that name. */
const all = (name: string): string[] =>
  instructions.flatMap((line) =>
    line.startsWith(`${name} `) ? [line.slice(name.length + 1)] : [],
  );

const only = (name: string): string => {
  const found = all(name);
  assert.equal(found.length, 1, `one ${name}`);
  return found[0]!;
};

const variables = new Map(
  only('ENV')
    .split(' ')
    .map((pair) => pair.split('=') as [string, string]),
);

describe('the Dockerfile', () => {
  it('builds every stage on one Node, pinned by version, that the server supports', () => {
    const [, version] = /^NODE=node:(\d+\.\d+\.\d+)-/.exec(all('ARG')[0]!) ?? [];
    assert.ok(version, 'ARG NODE names a version');
    const [major, minor] = version.split('.').map(Number) as [number, number];
    assert.ok(major > 20 || (major === 20 && minor >= 19), `${version} is 20.19 or later`);
    for (const from of all('FROM')) assert.match(from, /^\$\{NODE\}( AS \w+)?$/);
  });

  it('sets nothing but settings of the server', () => {
    const known = new Set<string>([...settingNames(), 'NODE_ENV']);
    assert.deepEqual(
      [...variables.keys()].filter((name) => !known.has(name)),
      [],
    );
  });

  it('exposes the port that the server listens on', () => {
    assert.equal(only('EXPOSE'), variables.get('PORT'));
    assert.equal(variables.get('PORT'), settingOf('PORT').default);
    assert.equal(variables.get('HOST'), '0.0.0.0');
  });

  it('starts the program that npm would, without a shell, so that signals reach it', () => {
    const { scripts } = JSON.parse(textOf('package.json')) as { scripts: { start: string } };
    const command: unknown[] = [...JSON.parse(only('ENTRYPOINT')), ...JSON.parse(only('CMD'))];
    assert.deepEqual(['exec', ...command], scripts.start.split(' '));
    assert.equal(only('STOPSIGNAL'), 'SIGTERM');
  });

  it('runs it as an unprivileged user, by number', () => {
    assert.match(only('USER'), /^[1-9]\d*:[1-9]\d*$/);
  });

  it('copies nothing that is not there, or that .dockerignore keeps out', () => {
    const ignore = textOf('.dockerignore').split('\n');
    assert.equal(
      ignore.find((line) => line !== '' && !line.startsWith('#')),
      '*',
    );
    const sources = all('COPY')
      .filter((copy) => !copy.startsWith('--from='))
      .flatMap((copy) => copy.split(' ').slice(0, -1))
      .map((source) => source.replace(/\/$/, ''));
    assert.ok(sources.length > 5, 'sources');
    for (const source of sources) {
      assert.ok(existsSync(new URL(source, ROOT)), `${source} is there`);
      assert.ok(ignore.includes(`!${source}`), `.dockerignore lets ${source} through`);
    }
    assert.ok(sources.includes('models'), 'the models that ship with the server');
  });

  it('installs from the lock file, and for the server nothing but what it needs', () => {
    const installs = all('RUN').filter(
      (run) => run.startsWith('npm') && !run.includes('run build'),
    );
    assert.deepEqual(installs, [
      'npm ci --ignore-scripts',
      'npm ci --omit=dev --omit=optional --ignore-scripts',
    ]);
  });
});

describe("the image's health check", () => {
  const [, command] = /CMD (\[.*\])$/.exec(only('HEALTHCHECK')) ?? [];
  const [program, ...args] = JSON.parse(command ?? '[]') as [string, ...string[]];

  /** Its exit code against a server that answers with `status`, and the path that it asked for. */
  async function check(status: number): Promise<{ code: number; path: string | undefined }> {
    let path: string | undefined;
    const server = createServer((request, response) => {
      path = request.url;
      response.writeHead(status).end();
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    try {
      const { port } = server.address() as AddressInfo;
      return { code: await run(port), path };
    } finally {
      server.close();
    }
  }

  async function run(port: number): Promise<number> {
    assert.equal(program, 'node');
    const env = { PATH: process.env['PATH'], PORT: String(port) };
    const child = spawn(process.execPath, args, { env, stdio: 'ignore' });
    const [code] = (await once(child, 'exit')) as [number];
    return code;
  }

  it('asks a path that the server has, and succeeds where the answer is good', async () => {
    const { code, path } = await check(200);
    assert.equal(code, 0);
    assert.ok(probePaths().includes(path ?? ''), `${path} is a path for probes`);
  });

  it('fails where the answer is not', async () => {
    assert.equal((await check(503)).code, 1);
  });

  it('fails where nobody listens', async () => {
    const server = createServer();
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    assert.equal(await run(port), 1);
  });
});
