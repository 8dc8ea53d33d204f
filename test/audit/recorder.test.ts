import assert from 'node:assert/strict';
import { sql } from 'kysely';
import { findEvents } from '../../src/audit/audit-query.js';
import type { AuditEvent } from '../../src/audit/event.js';
import {
  type AuditRecorder,
  createAuditRecorder,
  type RecorderOptions,
} from '../../src/audit/recorder.js';
import { Unavailable } from '../../src/errors.js';
import { connectDatabase } from '../../src/platform/database.js';
import { goDeaf } from '../support/busy.js';
import { type TestDatabase, testDatabase } from '../support/database.js';

const NOW = Date.parse('2026-11-22T12:00:00Z');
const clock = { now: () => NOW };
const log = { warn: () => {}, error: () => {} };

function decision(subject: string, more: Partial<AuditEvent> = {}): AuditEvent {
  return { kind: 'decision', actor: 'key:1', tenant: 'acme', subject, ...more };
}

describe('the audit recorder', () => {
  let db: TestDatabase;
  const open: AuditRecorder[] = [];
  before(async () => {
    db = await testDatabase();
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((recorder) => recorder.close()));
    await sql`TRUNCATE audit_events`.execute(db.database);
  });
  after(() => db.close());

  function recorder(
    mode: RecorderOptions['mode'],
    more: Partial<RecorderOptions> = {},
  ): AuditRecorder {
    const made = createAuditRecorder({ database: db.database, mode, log, clock, ...more });
    open.push(made);
    return made;
  }

  async function subjects(): Promise<unknown[]> {
    const { items } = await findEvents(db.database, { limit: 200 });
    return items.map((item) => item.subject).reverse();
  }

  it('has an event committed when `record` resolves in strict mode', async () => {
    const audit = recorder('strict');
    await audit.record(decision('alice'));
    assert.deepEqual(await subjects(), ['alice']);
    assert.equal(audit.pending, 0);
  });

  it('groups events that come together into few statements, in their order', async () => {
    const before = await statements();
    const names = Array.from({ length: 150 }, (_, index) => `user-${index}`);
    const audit = recorder('strict');
    await Promise.all(names.map(async (name) => audit.record(decision(name))));
    assert.deepEqual(await subjects(), names);
    const inserts = (await statements()) - before;
    assert.ok(inserts <= 3, `${inserts} transactions wrote events`);
  });

  /** How many transactions have written the events that are there. */
  async function statements(): Promise<number> {
    const { rows } = await sql<{ count: string }>`
      SELECT count(DISTINCT xmin::text) AS count FROM audit_events`.execute(db.database);
    return Number(rows[0]?.count);
  }

  it('answers at once in buffered mode and has everything committed after a flush', async () => {
    const audit = recorder('buffered');
    await sql`SELECT 1`.execute(db.database);
    const names = Array.from({ length: 130 }, (_, index) => `user-${index}`);
    for (const name of names) await audit.record(decision(name));
    assert.equal(audit.pending, 130);
    await audit.flush();
    assert.equal(audit.pending, 0);
    assert.deepEqual(await subjects(), names);
  });

  it('sends what lies in the buffer by itself within a second', async () => {
    const audit = recorder('buffered', { limits: { delay: 1 } });
    await audit.record(decision('alice'));
    while (audit.pending > 0) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(await subjects(), ['alice']);
  });

  it('sends a full batch without waiting, and what came meanwhile after it', async () => {
    const audit = recorder('buffered', { limits: { delay: 3_600_000, batch: 10 } });
    const names = Array.from({ length: 25 }, (_, index) => `user-${index}`);
    for (const name of names) await audit.record(decision(name));
    while (audit.pending > 0) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(await subjects(), names);
  });

  it('slows down whoever records faster than Postgres writes', async () => {
    const audit = recorder('buffered', { limits: { delay: 3_600_000, batch: 2 } });
    const names = Array.from({ length: 100 }, (_, index) => `user-${index}`);
    for (const name of names) {
      await audit.record(decision(name));
      assert.ok(audit.pending <= 22, `${audit.pending} events wait`);
    }
    await audit.flush();
    assert.deepEqual(await subjects(), names);
  });

  it('stores no decisions when it is off, but everything else', async () => {
    const audit = recorder('off');
    await audit.record(decision('alice'));
    await audit.record({ kind: 'credential.failed', actor: 'nobody', subject: 'eve' });
    await db.database
      .transaction()
      .execute((transaction) =>
        audit.write(transaction, { kind: 'rules.changed', actor: 'root', subject: 'bob' }),
      );
    await audit.flush();
    assert.deepEqual(await subjects(), ['bob', 'eve']);
  });

  it('commits what `write` wrote with its transaction or not at all', async () => {
    const audit = recorder('buffered');
    await assert.rejects(
      db.database.transaction().execute(async (transaction) => {
        await audit.write(transaction, decision('lost'));
        throw new Error('rolled back');
      }),
      /rolled back/,
    );
    await db.database
      .transaction()
      .execute((transaction) => audit.write(transaction, decision('a'), decision('b')));
    assert.deepEqual(await subjects(), ['a', 'b']);
  });

  it('writes nothing, and does not fail, for no events', async () => {
    await db.database.transaction().execute((transaction) => recorder('strict').write(transaction));
    assert.deepEqual(await subjects(), []);
  });

  it('stores every member of an event under its own name', async () => {
    const audit = recorder('strict');
    await audit.record({
      id: 'dec_1',
      at: new Date('2026-11-22T11:59:58.123Z'),
      kind: 'decision',
      tenant: 'acme',
      actor: 'key:1',
      subject: 'alice',
      action: 'deploy',
      resource: 'service:billing',
      decision: 'deny',
      reason: 'comment_required',
      rules: [{ kind: 'require-comment', id: 'why', outcome: 'denied' }],
      revision: 42,
      bundle: 7,
      commit: 'abc123',
      requestId: 'req-1',
      approvalId: 'apr_1',
      ip: '127.0.0.1',
      detail: { explain: [1, null, 'x'] },
    });
    const [item] = (await findEvents(db.database, {})).items;
    assert.ok(item);
    const { seq, ...rest } = item;
    assert.ok(Number.isSafeInteger(seq));
    assert.deepEqual(rest, {
      id: 'dec_1',
      at: '2026-11-22T11:59:58.123Z',
      tenant: 'acme',
      kind: 'decision',
      actor: 'key:1',
      subject: 'alice',
      action: 'deploy',
      resource: 'service:billing',
      decision: 'deny',
      reason: 'comment_required',
      rules: [{ kind: 'require-comment', id: 'why', outcome: 'denied' }],
      revision: 42,
      bundle: 7,
      commit: 'abc123',
      request_id: 'req-1',
      approval_id: 'apr_1',
      ip: '127.0.0.1',
      detail: { explain: [1, null, 'x'] },
    });
  });

  it('stamps events with an id of their own and the time of its clock', async () => {
    const audit = recorder('strict');
    await Promise.all([audit.record(decision('a')), audit.record(decision('b'))]);
    const { items } = await findEvents(db.database, {});
    assert.equal(new Set(items.map((item) => item.id)).size, 2);
    for (const item of items) {
      assert.match(item.id, /^evt_[0-9a-f]{32}$/);
      assert.equal(item.at, '2026-11-22T12:00:00.000Z');
    }
  });

  it('masks by the bundle that was in force when an event was recorded', async () => {
    let paths = ['context.card'];
    const audit = recorder('buffered', { redactPaths: () => paths });
    await audit.record(decision('alice', { detail: { check: { context: { card: '4111' } } } }));
    paths = [];
    await audit.flush();
    const [item] = (await findEvents(db.database, {})).items;
    assert.deepEqual(item?.detail, { check: { context: { card: '[redacted]' } } });
  });

  it('masks what the bundle in force lists, asked anew at every event', async () => {
    let paths: string[] = [];
    const audit = recorder('strict', { redactPaths: () => paths });
    const detail = { check: { context: { card: '4111' } } };
    await audit.record(decision('alice', { detail }));
    paths = ['context.card'];
    await audit.record(decision('bob', { detail }));
    const { items } = await findEvents(db.database, {});
    assert.deepEqual(
      items.map((item) => item.detail),
      [{ check: { context: { card: '[redacted]' } } }, detail],
    );
  });

  it('leaves no API key in any text of an event', async () => {
    const key = `csk_${'x'.repeat(43)}`;
    const audit = recorder('strict');
    await audit.record(
      decision(key, { resource: `key:${key}`, action: `use ${key}`, actor: key, requestId: key }),
    );
    const { rows } = await sql<{ row: string }>`
      SELECT e::text AS row FROM audit_events e`.execute(db.database);
    assert.equal(rows.length, 1);
    assert.ok(!rows[0]?.row.includes(key));
  });

  it('stores NUL, lone surrogates and backslashes visibly instead of failing', async () => {
    const audit = recorder('strict');
    const texts = ['a\0b', '\ud800', 'x\udfff\ud83d', '\\u0000', '\\\0', '\\\\\ud800"', '😀'];
    await audit.record(decision(texts.join(' '), { detail: { texts, '\0name': 1 } }));
    const [item] = (await findEvents(db.database, {})).items;
    const stored = ['a\\u0000b', '\\ud800', 'x\\udfff\\ud83d', '\\u0000', '\\\\u0000'];
    stored.push('\\\\\\ud800"', '😀');
    assert.deepEqual(item?.detail, { texts: stored, '\\u0000name': 1 });
    assert.equal(item?.subject, stored.join(' '));
  });

  it('cuts off visibly what is nested too deeply to be stored', async () => {
    const audit = recorder('strict');
    let deep: unknown = 'bottom';
    for (let level = 0; level < 50_000; level++) deep = level % 2 === 0 ? [deep] : { deep };
    await audit.record(decision('alice', { detail: { deep } as never }));
    const [item] = (await findEvents(db.database, {})).items;
    assert.match(JSON.stringify(item?.detail), /\[nested too deeply\]/);
  });

  it('stores a bare event, and all others whole, where Postgres refuses what one holds', async () => {
    const audit = recorder('strict');
    await Promise.all([
      audit.record(decision('before')),
      audit.record(decision('refused', { revision: 0.5 })),
      audit.record(decision('after')),
    ]);
    const { items } = await findEvents(db.database, {});
    assert.deepEqual(
      items.map((item) => String(item.subject).slice(0, 20)),
      ['after', 'undefined', 'before'],
    );
    assert.match(JSON.stringify(items[1]?.detail), /unstorable/);
    assert.equal(items[1]?.actor, 'key:1');
  });

  it('does not store an event twice when a batch is sent again', async () => {
    const audit = recorder('strict');
    const event = decision('alice', { id: 'dec_again' });
    await audit.record(event);
    await audit.record(event);
    assert.deepEqual(await subjects(), ['alice']);
  });

  describe('while Postgres is away', () => {
    const away = connectDatabase('postgresql://postgres@127.0.0.1:1/nowhere');
    after(() => away.close());

    it('refuses an event in strict mode', async () => {
      const audit = recorder('strict', { database: away.database });
      await assert.rejects(async () => audit.record(decision('alice')), Unavailable);
      assert.equal(audit.pending, 0);
    });

    it('holds events up to its bound in buffered mode, then refuses more', async () => {
      const metrics = gauges();
      const audit = recorder('buffered', {
        database: away.database,
        metrics,
        limits: { events: 3, closing: 1 },
      });
      for (const name of ['a', 'b', 'c']) await audit.record(decision(name));
      await assert.rejects(audit.flush(), Unavailable);
      await assert.rejects(async () => audit.record(decision('d')), Unavailable);
      assert.equal(audit.pending, 3);
      assert.equal(metrics.pending(), 3);
      assert.ok(metrics.failures > 0);
    });

    it('bounds the memory that waiting events take, not only their number', async () => {
      const audit = recorder('buffered', {
        database: away.database,
        limits: { characters: 10_000, closing: 1 },
      });
      const detail = { text: 'x'.repeat(6_000) };
      await audit.record(decision('a', { detail }));
      await assert.rejects(async () => audit.record(decision('b', { detail })), Unavailable);
    });

    it('gives up after a bounded time when closed, and says how many events are lost', async () => {
      const lines: object[] = [];
      const audit = createAuditRecorder({
        database: away.database,
        mode: 'buffered',
        clock,
        log: { warn: () => {}, error: (members) => lines.push(members) },
        limits: { closing: 20 },
      });
      await audit.record(decision('a'));
      await audit.close();
      assert.deepEqual(lines.at(-1), { lost: 1 });
      await assert.rejects(async () => audit.record(decision('b')), Unavailable);
    });
  });

  it('loses nothing and keeps the order when Postgres comes back', async () => {
    const audit = recorder('buffered', { limits: { batch: 2 } });
    await sql`ALTER TABLE audit_events RENAME TO audit_events_gone`.execute(db.database);
    for (const name of ['a', 'b', 'c']) await audit.record(decision(name));
    await assert.rejects(audit.flush(), Unavailable);
    await audit.record(decision('d'));
    await sql`ALTER TABLE audit_events_gone RENAME TO audit_events`.execute(db.database);
    await audit.record(decision('e'));
    // An attempt that began before the table was there may fail yet.
    await audit.flush().catch(() => audit.flush());
    assert.deepEqual(await subjects(), ['a', 'b', 'c', 'd', 'e']);
  });

  it('lets nobody wait for a commit beyond its patience, and drops what was not sent by then', async () => {
    const audit = recorder('strict', { limits: { patience: 20 } });
    await db.database.transaction().execute(async (transaction) => {
      await sql`LOCK TABLE audit_events IN ACCESS EXCLUSIVE MODE`.execute(transaction);
      await assert.rejects(async () => audit.record(decision('hangs')), Unavailable);
      await assert.rejects(async () => audit.record(decision('queued')), Unavailable);
    });
    await audit.flush();
    assert.deepEqual(await subjects(), ['hangs']);
    assert.equal(audit.pending, 0);
  });

  it('takes a commit for one that came while this process was too busy to read it', async () => {
    const audit = recorder('strict', { limits: { patience: 200 } });
    const recorded = audit.record(decision('meanwhile'));
    await goDeaf(500);
    await recorded;
    assert.deepEqual(await subjects(), ['meanwhile']);
  });

  it('goes on after its connections were killed', async () => {
    const audit = recorder('strict');
    await audit.record(decision('before'));
    const admin = connectDatabase(db.url);
    await sql`
      SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND pid <> pg_backend_pid()`.execute(admin.database);
    await admin.close();
    await audit.record(decision('after'));
    assert.deepEqual(await subjects(), ['before', 'after']);
  });
});

function gauges() {
  const seen = {
    failures: 0,
    pending: () => 0,
    watchAuditPending: (pending: () => number) => void (seen.pending = pending),
    auditFailures: { inc: () => void (seen.failures += 1) },
  };
  return seen;
}
