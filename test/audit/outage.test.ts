import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { sql } from 'kysely';
import type { AuditEvent } from '../../src/audit/event.js';
import {
  type AuditRecorder,
  createAuditRecorder,
  type RecorderOptions,
} from '../../src/audit/recorder.js';
import { Spill } from '../../src/audit/spill.js';
import { Unavailable } from '../../src/errors.js';
import { systemClock } from '../../src/platform/clock.js';
import { type Connection, connectDatabase } from '../../src/platform/database.js';
import { type TestDatabase, testDatabase } from '../support/database.js';
import { postgresProxy, type TcpProxy } from '../support/tcp-proxy.js';

const NOW = Date.parse('2026-11-22T12:00:00Z');
const log = { warn: () => {}, error: () => {} };
/** Everything at once: what is waited for is what is looked for. */
const QUICK = { delay: 1, keepAfter: 1 };

function decision(subject: string, more: Partial<AuditEvent> = {}): AuditEvent {
  return { id: `dec_${subject}`, kind: 'decision', actor: 'key:1', subject, ...more };
}

/** Looks again and again, and leaves the processor to others in between. */
async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await delay(2);
}

describe('the audit while Postgres is away', () => {
  let db: TestDatabase;
  let proxy: TcpProxy;
  let through: Connection;
  let folder: string;
  let elapsed = 0;
  const open: AuditRecorder[] = [];
  before(async () => {
    db = await testDatabase();
    const proxied = await postgresProxy(db.url);
    proxy = proxied.proxy;
    through = connectDatabase(proxied.url, { connectTimeout: 500, queryTimeout: 400 });
  });
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'countersign-outage-'));
  });
  afterEach(async () => {
    await proxy.mend();
    await Promise.all(open.splice(0).map((recorder) => recorder.close()));
    await sql`TRUNCATE audit_events`.execute(db.database);
    await rm(folder, { recursive: true, force: true });
  });
  after(async () => {
    await through.close();
    await proxy.cut();
    await db.close();
  });

  function recorder(
    more: Partial<RecorderOptions> = {},
    { maxBytes = 1024 ** 3 }: { readonly maxBytes?: number } = {},
  ): { audit: AuditRecorder; spill: Spill } {
    const { database } = through;
    const clock = systemClock;
    const spill = new Spill({ folder, maxBytes, log, clock, elapsed: () => elapsed });
    const limits = { ...QUICK, ...more.limits };
    const fixed = { now: () => NOW };
    const audit = createAuditRecorder({
      database,
      mode: 'buffered',
      log,
      clock: fixed,
      spill,
      ...more,
      limits,
    });
    open.push(audit);
    return { audit, spill };
  }

  /** The subjects of all events, in the order of `seq`. */
  async function stored(): Promise<string[]> {
    const { rows } = await sql<{ subject: string }>`
      SELECT subject FROM audit_log ORDER BY seq`.execute(db.database);
    return rows.map(({ subject }) => subject);
  }

  async function onDisk(): Promise<string> {
    const names = await readdir(folder);
    const texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')));
    return texts.join('');
  }

  function names(count: number, prefix = 'user'): string[] {
    return Array.from({ length: count }, (_, index) => `${prefix}-${index}`);
  }

  async function isReplayed(): Promise<boolean> {
    return (await readdir(folder)).length === 0;
  }

  it('keeps events on disk, and has each in its place once it is back', async () => {
    const { audit, spill } = recorder();
    const [first, second, third] = [names(50, 'a'), names(2_500, 'b'), names(50, 'c')];
    for (const name of first) await audit.record(decision(name));
    await until(() => audit.pending === 0);
    await proxy.cut();
    for (const name of second) await audit.record(decision(name));
    await until(() => audit.pending === 0);
    assert.equal(spill.waits, true);
    assert.deepEqual(await stored(), first);
    await proxy.mend();
    for (const name of third) await audit.record(decision(name));
    await until(() => audit.pending === 0 && !spill.waits);
    assert.deepEqual(await stored(), [...first, ...second, ...third]);
    await until(isReplayed);
  });

  it('has every event once after outages of any kind at any time', async () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.integer({ min: 1, max: 40 }) },
      fc.constantFrom('cut', 'stall', 'mend', 'wait', 'restart'),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 12 }), async (steps) => {
        await sql`TRUNCATE audit_events`.execute(db.database);
        let { audit } = recorder({ limits: { batch: 10, closing: 1_000 } });
        const recorded: string[] = [];
        for (const one of steps) {
          if (typeof one === 'number') {
            for (const name of names(one, `${recorded.length}`)) {
              await audit.record(decision(name));
              recorded.push(name);
            }
          } else if (one === 'restart') {
            await audit.close();
            ({ audit } = recorder({ limits: { batch: 10, closing: 1_000 } }));
          } else if (one === 'wait') {
            await until(() => audit.pending === 0);
          } else {
            if (one === 'cut') await proxy.mend();
            await proxy[one]();
          }
        }
        await proxy.mend();
        await until(async () => audit.pending === 0 && (await isReplayed()));
        assert.deepEqual((await stored()).sort(), recorded.sort());
        await audit.close();
      }),
      { numRuns: 12 },
    );
  }).timeout(60_000);

  it('keeps what a Postgres that does not answer has not taken', async () => {
    const { audit } = recorder();
    await audit.record(decision('before'));
    await until(() => audit.pending === 0);
    proxy.stall();
    await audit.record(decision('kept'));
    await until(async () => (await onDisk()).includes('dec_kept'));
    await proxy.mend();
    await until(async () => (await stored()).length === 2);
    assert.deepEqual(await stored(), ['before', 'kept']);
  });

  it('keeps the events of a batch of checks in their row', async () => {
    const { audit, spill } = recorder();
    await proxy.cut();
    for (const name of names(5)) await audit.record(decision(name, { requestId: 'req-1' }));
    await until(() => audit.pending === 0);
    await proxy.mend();
    await until(() => !spill.waits);
    assert.deepEqual(await stored(), names(5));
    const { rows } = await sql`SELECT 1 FROM audit_events`.execute(db.database);
    assert.equal(rows.length, 1);
  });

  it('writes nothing to disk that is to be masked', async () => {
    const { audit } = recorder({ redactPaths: () => ['context.card'] });
    await proxy.cut();
    const context = { card: '4111-secret', note: 'visible', password: 'hunter2-secret' };
    await audit.record(decision('alice', { detail: { check: { context } } }));
    await until(() => audit.pending === 0);
    const text = await onDisk();
    assert.match(text, /visible/);
    assert.doesNotMatch(text, /secret/);
  });

  it('refuses events once the disk is full, and takes them again when Postgres is back', async () => {
    const { audit, spill } = recorder({}, { maxBytes: 5_000 });
    await proxy.cut();
    const taken: string[] = [];
    await assert.rejects(async () => {
      for (const name of names(100_000)) {
        await audit.record(decision(name));
        taken.push(name);
        await until(() => audit.pending === 0 || spill.state.refuses);
      }
    }, Unavailable);
    assert.ok((await onDisk()).length <= 5_000, 'the files are larger than they may be');
    await proxy.mend();
    await until(() => audit.pending === 0 && !spill.waits);
    await audit.record(decision('later'));
    await until(async () => audit.pending === 0 && (await isReplayed()));
    assert.deepEqual((await stored()).sort(), [...taken, 'later'].sort());
    assert.equal(spill.state.refuses, false);
  });

  it('loses none that it took, however many came before the disk was full, when it stops', async () => {
    const { audit } = recorder({}, { maxBytes: 50_000 });
    await proxy.cut();
    const taken: string[] = [];
    const record = async (name: string): Promise<void> => {
      await audit.record(decision(name));
      taken.push(name);
    };
    await record('first');
    await until(() => audit.pending === 0);
    const all = await Promise.allSettled(names(1_000).map(record));
    assert.ok(taken.length > 0 && taken.length < 1_000, `${taken.length} were taken`);
    assert.ok(all.every((one) => one.status === 'fulfilled' || one.reason instanceof Unavailable));
    await audit.close();
    assert.equal(audit.pending, 0);
    await proxy.mend();
    recorder();
    await until(isReplayed);
    assert.deepEqual((await stored()).sort(), taken.sort());
  });

  it('refuses events where the disk cannot be written, and loses none that it took', async () => {
    await rm(folder, { recursive: true });
    await writeFile(folder, 'in the way');
    const { audit, spill } = recorder();
    await proxy.cut();
    await audit.record(decision('taken'));
    await until(() => spill.state.refuses);
    await until(async () => {
      const refused = await Promise.resolve(audit.record(decision('probe'))).then(
        () => false,
        () => true,
      );
      return refused;
    });
    await rm(folder);
    await until(() => audit.pending === 0);
    await proxy.mend();
    await until(() => !spill.waits);
    assert.ok((await stored()).includes('taken'), 'the event that was taken is not there');
  });

  it('takes events again when Postgres is back, whatever the disk does', async () => {
    await rm(folder, { recursive: true });
    await writeFile(folder, 'in the way');
    const { audit, spill } = recorder();
    await proxy.cut();
    await audit.record(decision('taken'));
    await until(() => spill.state.refuses);
    await proxy.mend();
    await until(() => audit.pending === 0);
    assert.equal(spill.state.refuses, false);
    assert.deepEqual(await stored(), ['taken']);
  });

  it('loses nothing when the server stops meanwhile', async () => {
    const { audit } = recorder({ limits: { delay: 3_600_000, keepAfter: 3_600_000 } });
    await proxy.cut();
    for (const name of names(300)) await audit.record(decision(name));
    await audit.close();
    assert.equal(audit.pending, 0);
    await proxy.mend();
    recorder();
    await until(async () => (await stored()).length === 300);
    assert.deepEqual(await stored(), names(300));
    await until(isReplayed);
  });

  for (const mode of ['strict', 'off'] as const) {
    it(`replays in \`${mode}\` mode what a \`buffered\` server has left`, async () => {
      const { audit } = recorder();
      await proxy.cut();
      await audit.record(decision('left'));
      await audit.close();
      await proxy.mend();
      recorder({ mode });
      await until(async () => (await stored()).length === 1);
      assert.deepEqual(await stored(), ['left']);
      await until(isReplayed);
    });
  }

  it('stores a bare event in the place of one from disk that Postgres refuses', async () => {
    const { audit, spill } = recorder();
    await proxy.cut();
    for (const [name, revision] of [
      ['a', 1],
      ['b', 0.5],
      ['c', 1],
    ] as const) {
      await audit.record(decision(name, { requestId: 'req-1', revision }));
    }
    for (const name of ['d', 'e']) {
      await audit.record(decision(name, { requestId: 'req-2', revision: 0.5 }));
    }
    await until(() => audit.pending === 0);
    await proxy.mend();
    await until(() => !spill.waits);
    const { rows } = await sql<{ id: string; bare: boolean }>`
      SELECT id, coalesce(detail->>'unstorable', '') <> '' AS bare FROM audit_log ORDER BY seq`.execute(
      db.database,
    );
    assert.deepEqual(
      rows.map(({ id, bare }) => `${id} ${bare}`),
      ['dec_a false', 'dec_b true', 'dec_c false', 'dec_d true', 'dec_e true'],
    );
  });

  it('has every event of a process that was killed, once others see that it is gone', async () => {
    const script = new URL('spilling-process.ts', import.meta.url).pathname;
    const child = spawn(
      process.execPath,
      ['--import', import.meta.resolve('tsx/esm'), script, folder, '3000'],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    await once(child.stdout, 'data');
    const { audit, spill } = recorder();
    await spill.look();
    assert.equal(spill.waits, false);
    child.kill('SIGKILL');
    await once(child, 'close');
    await until(async () => {
      await spill.look();
      elapsed += 5_000;
      return spill.waits || (await stored()).length > 0;
    });
    await until(() => audit.pending === 0 && !spill.waits);
    assert.deepEqual((await stored()).sort(), names(3_000).sort());
  });
});
