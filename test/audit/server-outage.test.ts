import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { createLogger } from '../../src/platform/log.js';
import { type RunningServer, startServer } from '../../src/server.js';
import { type TestDatabase, testDatabase } from '../support/database.js';
import { DEMO_BUNDLE, OFFICE_HOURS } from '../support/server.js';
import { postgresProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';

const ROOT_KEY = 'r'.repeat(40);

interface Health {
  readonly checks: Readonly<Record<string, { readonly status: string; readonly message?: string }>>;
}

describe('a server while Postgres is away', () => {
  let db: TestDatabase;
  let proxy: TcpProxy;
  let url: string;
  let dataDir: string;
  let running: RunningServer;
  beforeEach(async () => {
    db = await testDatabase();
    ({ proxy, url } = await postgresProxy(db.url));
    dataDir = await mkdtemp(join(tmpdir(), 'countersign-server-outage-'));
  });
  afterEach(async () => {
    await running.stop();
    await proxy.cut();
    await db.close();
    await rm(dataDir, { recursive: true, force: true });
  });

  async function start(auditSpillMax = 1024 ** 3): Promise<void> {
    running = await startServer(
      {
        host: '127.0.0.1',
        port: 0,
        databaseUrl: url,
        dataDir,
        policyDir: DEMO_BUNDLE,
        rootKey: ROOT_KEY,
        audit: 'buffered',
        auditSpillMax,
        drainMs: 0,
        logLevel: 'silent',
        workers: 1,
        limitsOnRedisLoss: 'local',
        maxStalenessMs: 300_000,
        pollMs: 5_000,
        metricsPublic: true,
      },
      { log: createLogger('silent'), clock: { now: () => OFFICE_HOURS } },
    );
  }

  /** Asks a question that needs no store; the status, and the id of the decision. */
  async function check(): Promise<{ readonly status: number; readonly id: string }> {
    const response = await fetch(`${running.url}/check`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${ROOT_KEY}`, 'Content-Type': 'application/json' },
      body: '{"tenant":"acme","subject":"alice","action":"read","resource":"document:plan"}',
    });
    const { decision_id: id = '' } = (await response.json()) as { decision_id?: string };
    return { status: response.status, id };
  }

  async function checks(count: number): Promise<string[]> {
    const answers = await Promise.all(Array.from({ length: count }, check));
    assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
    return answers.map(({ id }) => id);
  }

  async function health(): Promise<Health> {
    const response = await fetch(`${running.url}/health`);
    return (await response.json()) as Health;
  }

  async function metric(name: string): Promise<number> {
    const text = await (await fetch(`${running.url}/metrics`)).text();
    return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
  }

  async function decisions(): Promise<string[]> {
    const { rows } = await sql<{ id: string }>`
      SELECT id FROM audit_log WHERE kind = 'decision'`.execute(db.database);
    return rows.map(({ id }) => id).sort();
  }

  it('answers, says that events wait on disk, and writes them afterwards', async () => {
    await start();
    await proxy.cut();
    const ids = await checks(20);
    await until(
      () => metric('countersign_audit_spilled_total'),
      (count) => count === 20,
    );
    const { audit } = (await health()).checks;
    assert.equal(audit?.status, 'ok');
    assert.match(audit?.message ?? '', /wait on disk/);
    assert.ok((await metric('countersign_audit_spill_bytes')) > 0, 'no bytes are counted');
    await proxy.mend();
    await until(decisions, (found) => found.length === ids.length);
    assert.deepEqual(await decisions(), ids.sort());
    await until(
      () => metric('countersign_audit_replayed_total'),
      (count) => count === 20,
    );
    assert.equal((await health()).checks['audit'], undefined);
  });

  it('leaves them to the next server where it stops meanwhile', async () => {
    await start();
    await proxy.cut();
    const ids = await checks(20);
    await running.stop();
    assert.equal((await readdir(join(dataDir, 'audit-spill'))).length, 1);
    await proxy.mend();
    await start();
    await until(decisions, (found) => found.length === ids.length);
    assert.deepEqual(await decisions(), ids.sort());
  });

  it('answers 503 once there is no more room, until Postgres is back', async () => {
    await start(1_000);
    await proxy.cut();
    const ids: string[] = [];
    await until(check, ({ status, id }) => {
      if (status === 200) ids.push(id);
      return status === 503;
    });
    assert.equal((await health()).checks['audit']?.status, 'failed');
    assert.equal(await metric('countersign_audit_spill_refuses'), 1);
    await proxy.mend();
    await until(check, ({ status, id }) => {
      if (status === 200) ids.push(id);
      return status === 200;
    });
    await until(decisions, (found) => found.length === ids.length);
    assert.deepEqual(await decisions(), ids.sort());
  });
});
