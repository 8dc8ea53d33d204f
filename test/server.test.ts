import assert from 'node:assert/strict';
import { readFile, stat, writeFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  rootKeyOf,
  type ServerProcess,
  spawnServer,
  temporaryDataDir,
} from './support/server-process.js';
import { until } from './support/until.js';

interface Problem {
  code?: string;
  reason?: string;
  [member: string]: unknown;
}

async function call(
  url: string,
  path: string,
  key: string | undefined,
  body?: object,
): Promise<{ status: number; headers: Headers; body: Problem }> {
  const response = await fetch(url + path, {
    ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
    headers: {
      'Content-Type': 'application/json',
      ...(key === undefined ? {} : { Authorization: `Bearer ${key}` }),
    },
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: JSON.parse(text) as Problem };
}

const CHECK = { tenant: 'acme', subject: 'bob', action: 'write', resource: 'document:1' };

/** The ids of all decisions in the audit. */
async function decisionsOf(url: string, key: string): Promise<Set<string>> {
  const found = new Set<string>();
  for (let after = ''; ; ) {
    const page = await call(url, `/v1/audit?kind=decision&limit=200${after}`, key);
    for (const { id } of page.body['items'] as { id: string }[]) found.add(id);
    if (page.body['next'] === null) return found;
    after = `&after=${String(page.body['next'])}`;
  }
}

describe('a server of one process', function () {
  this.timeout(60_000);
  let data: Awaited<ReturnType<typeof temporaryDataDir>>;
  const running: ServerProcess[] = [];
  const start = (env?: Record<string, string>, dataDir = data.path): ServerProcess => {
    const server = spawnServer(dataDir, env);
    running.push(server);
    return server;
  };
  before(async () => {
    data = await temporaryDataDir();
  });
  afterEach(async () => {
    for (const server of running.splice(0)) {
      server.child.kill('SIGKILL');
      await server.ended;
    }
  });
  after(() => data.remove());

  it('answers on a machine with only Node, and keeps its key to its owner', async () => {
    const server = start();
    const url = await server.listening;
    const key = await rootKeyOf(data.path);
    assert.ok(key.length >= 32);
    const { mode } = await stat(join(data.path, 'root.key'));
    assert.equal(mode & 0o777, 0o600);
    const named = JSON.parse(await readFile(join(data.path, 'server.json'), 'utf8')) as object;
    assert.deepEqual(named, { address: url, pid: server.pid });

    const answer = await call(url, '/check', key, CHECK);
    assert.equal(answer.status, 200);
    assert.equal(answer.body.reason, 'allowed');
    server.child.kill('SIGTERM');
    const { code, stdout, stderr } = await server.ended;
    assert.equal(code, 0);
    for (const written of [stdout, stderr]) assert.ok(!written.includes(key));
  });

  it('turns the load balancer away before it stops, and answers until then', async () => {
    const server = start({ COUNTERSIGN_DRAIN: '1s' });
    const url = await server.listening;
    const key = await rootKeyOf(data.path);
    assert.equal((await fetch(`${url}/health/ready`)).status, 200);
    server.child.kill('SIGTERM');
    for (;;) {
      const ready = await fetch(`${url}/health/ready`);
      if (ready.status === 503) break;
    }
    const answer = await call(url, '/check', key, CHECK);
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get('connection'), 'close');
    assert.equal((await server.ended).code, 0);
    await assert.rejects(stat(join(data.path, 'server.json')));
  });

  it('loses nothing that it acknowledged when it is killed', async () => {
    const first = start();
    const url = await first.listening;
    const root = await rootKeyOf(data.path);
    const made = await call(url, '/v1/keys', root, {
      name: 'survivor',
      tenant: 'acme',
      roles: ['service'],
    });
    assert.equal(made.status, 201);
    const rules = { tenant: 'acme', add: [['g', 'newcomer', 'viewer', 'acme']] };
    assert.equal((await call(url, '/v1/rules', root, rules)).status, 200);
    first.child.kill('SIGKILL');
    await first.ended;

    const again = await start().listening;
    const answer = await call(again, '/check', String(made.body['key']), {
      ...CHECK,
      subject: 'newcomer',
      action: 'read',
    });
    assert.equal(answer.body.reason, 'allowed');
  });

  it('ends with 1 where its database does, and the next one has all that it decided', async () => {
    const first = start();
    const url = await first.listening;
    const key = await rootKeyOf(data.path);
    const decided = new Set<unknown>();
    const postmaster = await readFile(join(data.path, 'pg', 'postmaster.pid'), 'utf8');
    // The last ones are asked while the server notices, and ends.
    for (let count = 0; ; count += 1) {
      if (count === 50) process.kill(Number.parseInt(postmaster, 10), 'SIGKILL');
      const answer = await call(url, '/check', key, CHECK).catch(() => undefined);
      if (answer === undefined) break;
      if (answer.status === 200) decided.add(answer.body['decision_id']);
    }
    assert.equal((await first.ended).code, 1);
    assert.ok(decided.size >= 50, `${decided.size} decisions`);

    const again = await start().listening;
    await until(
      () => decisionsOf(again, key),
      (found) => [...decided].every((id) => found.has(String(id))),
    );
  });

  it('lets no second server onto its data directory', async () => {
    const url = await start().listening;
    const second = start();
    const { code, stderr } = await second.ended;
    assert.equal(code, 1);
    assert.match(stderr, /already|another|second|in use/i);
    assert.equal((await fetch(`${url}/health`)).status, 200);
  });

  it('takes the root key that it is given in place of the former', async () => {
    const former = await rootKeyOf(data.path);
    const given = 'a-root-key-of-our-own-0123456789abcdef';
    const url = await start({ COUNTERSIGN_ROOT_KEY: given }).listening;
    assert.equal((await call(url, '/check', given, CHECK)).status, 200);
    assert.equal((await call(url, '/check', former, CHECK)).status, 401);
  });

  it('tells every fault of its settings at once', async () => {
    const server = start({ PORT: 'many', COUNTERSIGN_AUDIT: 'maybe', DATABASE_URL: 'mysql://x' });
    const { code, stderr } = await server.ended;
    assert.equal(code, 2);
    for (const name of ['PORT', 'COUNTERSIGN_AUDIT', 'DATABASE_URL', 'COUNTERSIGN_ROOT_KEY']) {
      assert.match(stderr, new RegExp(name));
    }
  });

  it('refuses to start for the first time with a faulty bundle, and says where the faults are', async () => {
    const other = await temporaryDataDir();
    const policies = join(other.path, 'policies');
    await mkdir(join(policies, 'rules'), { recursive: true });
    await writeFile(join(policies, 'bundle.yaml'), 'name: x\nmodel: rbac-tenant\n');
    await writeFile(join(policies, 'rules', 'a.csv'), 'p, only, three\nq, x\n');
    const server = start({ COUNTERSIGN_POLICY_DIR: policies }, join(other.path, 'data'));
    const { code, stderr } = await server.ended;
    assert.equal(code, 3, stderr);
    assert.match(stderr, /rules\/a\.csv:1:\d+: /);
    assert.match(stderr, /rules\/a\.csv:2:\d+: /);
    await other.remove();
  });
});
