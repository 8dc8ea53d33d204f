import assert from 'node:assert/strict';
import { once } from 'node:events';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { Agent } from 'node:http';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { processOf } from '../src/platform/embedded-postgres/processes.js';
import { type TestDatabase, testDatabase } from './support/database.js';
import { ask, askUntilAnswered, startLoad } from './support/load.js';
import { DEMO_BUNDLE } from './support/server.js';
import { followLog, type ServerLog } from './support/server-log.js';
import {
  rootKeyOf,
  type ServerProcess,
  spawnServer,
  temporaryDataDir,
} from './support/server-process.js';

const ROOT_KEY = 'a-root-key-for-workers-0123456789abcdef';
const CHECK = { tenant: 'acme', subject: 'bob', action: 'write', resource: 'document:1' };
const LIMITED = { ...CHECK, resource: 'document:limited' };
const LIMIT = `rules:
  - id: fifty
    kind: rate-limit
    match: {resources: ["document:limited"]}
    limits: [{per: day, count: 50}]
`;
const ANSWERS = 'the worker answers';

/** Resolves once it holds, looking again and again; the test's own time is the bound. */
async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await delay(5);
}

function runs(pid: number): boolean {
  return processOf(pid) !== undefined;
}

/**
 * Exactly so many were allowed, and all others were limited. A check that got 503 may have been counted
 * all the same, where what was lost was the answer: that one fewer may be, and never one more.
 */
function assertLimited(answers: Awaited<ReturnType<typeof askUntilAnswered>>[], count: number) {
  const allowed = answers.filter(({ text }) => text.includes('"allowed":true')).length;
  const limited = answers.filter(({ text }) => text.includes('"rate_limited"')).length;
  const refusals = answers.reduce((sum, answer) => sum + answer.refusals, 0);
  const said = `${allowed} allowed, ${limited} limited, ${refusals} times 503`;
  assert.equal(allowed + limited, answers.length, said);
  assert.ok(allowed <= count && allowed >= count - refusals, said);
}

describe('a server of two workers', function () {
  this.timeout(120_000);
  let data: Awaited<ReturnType<typeof temporaryDataDir>>;
  let database: TestDatabase;
  let server: ServerProcess;
  let log: ServerLog;
  let url: string;
  const workers: number[] = [];
  /** So that each may be answered by another worker. */
  const askAnew = (path: string, key = ROOT_KEY, body?: object) =>
    ask(url + path, { key, ...(body && { body }) });
  const askAll = (count: number, path: string, key: string, body?: object) =>
    Promise.all(Array.from({ length: count }, () => askAnew(path, key, body)));
  const load = () => startLoad(url, { key: ROOT_KEY, body: CHECK, connections: 8 });
  const metric = async (name: string): Promise<number> => {
    const { text } = await askAnew('/metrics');
    const lines = text.split('\n').filter((line) => line.startsWith(name));
    assert.ok(lines.length > 0, `no metric ${name}`);
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  };
  /** Waits for a worker that was not there before, and knows it from now on. */
  const newcomers = async (count: number): Promise<number[]> => {
    const all = await log.until(ANSWERS, workers.length + count);
    const added = all.slice(workers.length);
    workers.push(...added);
    return added;
  };

  before(async () => {
    data = await temporaryDataDir();
    database = await testDatabase();
    const policies = join(data.path, 'policies');
    await cp(DEMO_BUNDLE, policies, { recursive: true });
    await writeFile(join(policies, 'governance', 'limit.yaml'), LIMIT);
    server = spawnServer(join(data.path, 'data'), {
      COUNTERSIGN_WORKERS: '2',
      COUNTERSIGN_DRAIN: '1s',
      COUNTERSIGN_POLICY_DIR: policies,
      COUNTERSIGN_ROOT_KEY: ROOT_KEY,
      DATABASE_URL: database.url,
    });
    log = followLog(server);
    url = await server.listening;
    await newcomers(2);
  });
  after(async () => {
    server.child.kill('SIGKILL');
    await server.ended;
    await database.close();
    await data.remove();
  });

  it('answers on one port by both, and names the primary in `server.json`', async () => {
    await askAll(8, '/v1/bundles', ROOT_KEY);
    const answered = log.lines.filter(({ route }) => route === '/v1/bundles');
    assert.deepEqual(
      [...new Set(answered.map(({ pid }) => pid))].sort(),
      [...workers].sort(),
      'two answered, and are told apart in the log',
    );
    const named = JSON.parse(await readFile(join(data.path, 'data', 'server.json'), 'utf8'));
    assert.deepEqual(named, { address: url, pid: server.pid });
  });

  it('refuses a revoked key by both', async () => {
    const body = { name: 'short-lived', tenant: 'acme', roles: ['service'] };
    const made = await askAnew('/v1/keys', ROOT_KEY, body);
    const { id, key } = JSON.parse(made.text) as { id: string; key: string };
    const statuses = async () => {
      const answers = await askAll(4, '/check', key, CHECK);
      return answers.map(({ status }) => status).join();
    };
    await until(async () => (await statuses()) === '200,200,200,200');
    const revoked = await fetch(`${url}/v1/keys/${id}`, {
      method: 'DELETE',
      headers: { Authorization: `Bearer ${ROOT_KEY}` },
    });
    assert.ok(revoked.ok, `answered with ${revoked.status}`);
    await until(async () => (await statuses()) === '401,401,401,401');
  });

  it('counts a rate limit of both together, exactly', async () => {
    const asked = Array.from({ length: 120 }, () =>
      askUntilAnswered(`${url}/check`, { key: ROOT_KEY, body: LIMITED }),
    );
    assertLimited(await Promise.all(asked), 50);
  });

  it('shows the metrics of both, whichever is asked', async () => {
    const before = await metric('countersign_decisions_total');
    await askAll(20, '/check', ROOT_KEY, CHECK);
    for (let again = 0; again < 4; again += 1) {
      assert.equal(await metric('countersign_decisions_total'), before + 20);
    }
    assert.equal(await metric('countersign_workers'), 2);
    const { text } = await askAnew('/v1/bundles');
    const [{ revision }] = (JSON.parse(text) as { items: [{ revision: number }] }).items;
    assert.ok((await metric('countersign_revision')) >= revision, 'a revision is not a sum');
  });

  it('shows metrics while a worker does not report: its last counters stand in', async () => {
    const counted = await metric('countersign_decisions_total');
    const [stuck = 0] = workers;
    process.kill(stuck, 'SIGSTOP');
    // One of two is handed to the other worker, which answers.
    const asked = [askAnew('/metrics'), askAnew('/metrics')];
    const { text } = await Promise.race(asked);
    process.kill(stuck, 'SIGCONT');
    assert.match(text, /^countersign_worker_silences_total [1-9]/m);
    await Promise.all(asked);
    assert.equal(await metric('countersign_decisions_total'), counted);
  });

  it('answers rightly while a worker is killed, replaces it, and forgets nothing it counted', async () => {
    const counted = await metric('countersign_decisions_total');
    const loaded = load();
    await loaded.more(200);
    const [victim = 0] = workers;
    process.kill(victim, 'SIGKILL');
    const [other] = await newcomers(1);
    assert.ok(other !== victim, 'another process');
    await loaded.more(200);
    await loaded.stop();
    assert.deepEqual(loaded.wrong, []);
    // One for each connection that it held, at most.
    assert.ok(loaded.failed.length <= 8, loaded.failed.join());
    assert.ok((await metric('countersign_decisions_total')) >= counted + 200, 'fell');
    assert.equal(await metric('countersign_worker_deaths_total'), 1);
    assert.equal(await metric('countersign_workers'), 2);
  });

  it('loses no request while a worker is asked to end: another comes first', async () => {
    const loaded = load();
    await loaded.more(100);
    const retired = workers.at(-1) ?? 0;
    process.kill(retired, 'SIGTERM');
    await newcomers(1);
    await until(() => !runs(retired));
    await loaded.more(100);
    await loaded.stop();
    assert.deepEqual([loaded.wrong, loaded.failed], [[], []]);
  });

  it('loses no request while all are replaced on SIGHUP, and no count', async () => {
    const present = workers.filter(runs);
    assert.equal(present.length, 2);
    const counted = await metric('countersign_decisions_total');
    const loaded = load();
    await loaded.more(100);
    const states: number[] = [];
    const probing = new Agent({ keepAlive: true });
    const replaced = log.until('the workers were replaced', 1).then(() => true);
    server.child.kill('SIGHUP');
    for (let done = false; !done; done = await Promise.race([replaced, delay(5, false)])) {
      const probe = await ask(`${url}/health/ready`, { key: '', agent: probing });
      states.push(probe.status);
    }
    probing.destroy();
    assert.deepEqual([...new Set(states)], [200], 'ready all the time');
    await loaded.more(100);
    await loaded.stop();
    assert.deepEqual([loaded.wrong, loaded.failed], [[], []]);
    await newcomers(2);
    assert.deepEqual(present.filter(runs), []);
    assert.equal(await metric('countersign_decisions_total'), counted + loaded.answered);
    assert.equal(await metric('countersign_worker_deaths_total'), 1, 'nobody died of it');
  });

  it('drains on SIGTERM under load, writes what it decided, and exits with 0', async () => {
    const loaded = load();
    await loaded.more(100);
    server.child.kill('SIGTERM');
    await until(async () => (await askAnew('/health/ready')).status === 503);
    const last = await askAnew('/check', ROOT_KEY, CHECK);
    assert.deepEqual([last.status, last.isLast], [200, true]);
    const { code, stderr } = await server.ended;
    await loaded.stop();
    assert.equal(code, 0, stderr);
    assert.deepEqual(loaded.wrong, []);
    const { rows } = await database.pool.query(
      `SELECT count(*)::int AS decided FROM audit_log WHERE kind = 'decision'`,
    );
    const { decided } = rows[0] as { decided: number };
    assert.ok(decided >= loaded.answered, `${decided} of ${loaded.answered} were written`);
    assert.deepEqual(workers.filter(runs), []);
    for (const written of [stderr, (await server.ended).stdout]) {
      assert.ok(!written.includes(ROOT_KEY), 'the key was written');
    }
  });
});

describe('a server of workers with a database of its own', function () {
  this.timeout(120_000);
  let data: Awaited<ReturnType<typeof temporaryDataDir>>;
  const running: ServerProcess[] = [];
  const start = (env: Record<string, string> = {}): ServerProcess => {
    const server = spawnServer(data.path, { COUNTERSIGN_WORKERS: '2', ...env });
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

  it('counts rate limits together, and leaves no process behind when the primary is killed', async () => {
    const server = start({ COUNTERSIGN_AUDIT: 'strict', COUNTERSIGN_DRAIN: '0s' });
    const log = followLog(server);
    const url = await server.listening;
    const workers = await log.until(ANSWERS, 2);
    const key = await rootKeyOf(data.path);
    const body = { tenant: 'acme', subject: 'mona', action: 'export', resource: 'report:q1' };
    const asked = Array.from({ length: 12 }, () => askUntilAnswered(`${url}/check`, { key, body }));
    assertLimited(await Promise.all(asked), 5);

    const lock = await readFile(join(data.path, 'pg', 'postmaster.pid'), 'utf8');
    const postgres = Number.parseInt(lock, 10);
    assert.ok(runs(postgres), 'the database runs');
    server.child.kill('SIGKILL');
    await until(() => ![...workers, postgres].some(runs));
  });

  it('ends at once on a second signal', async () => {
    const server = start({ COUNTERSIGN_DRAIN: '5m' });
    const log = followLog(server);
    await server.listening;
    const workers = await log.until(ANSWERS, 2);
    server.child.kill('SIGTERM');
    await log.until('the server stops', 1);
    server.child.kill('SIGTERM');
    assert.equal((await server.ended).code, 1);
    await until(() => !workers.some(runs));
  });

  it('says so where the port is taken, and exits with 1', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    const { code, stderr } = await start({ PORT: String(port) }).ended;
    other.close();
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`EADDRINUSE.*${port}`));
  });
});
