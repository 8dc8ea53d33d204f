import assert from 'node:assert/strict';
import { sql } from 'kysely';
import { findEvents } from '../../src/audit/audit-query.js';
import { ensureAuditPartitions } from '../../src/audit/partitions.js';
import { createAuditRecorder } from '../../src/audit/recorder.js';
import { type TestDatabase, testDatabase } from '../support/database.js';

describe('the partitions of the audit', () => {
  let db: TestDatabase;
  beforeEach(async () => {
    db = await testDatabase();
  });
  afterEach(() => db.close());

  async function partitions(): Promise<string[]> {
    const { rows } = await sql<{ name: string }>`
      SELECT inhrelid::regclass::text AS name FROM pg_inherits
      WHERE inhparent = 'audit_events'::regclass ORDER BY 1`.execute(db.database);
    return rows.map((row) => row.name);
  }

  async function partitionOf(id: string): Promise<string | undefined> {
    const { rows } = await sql<{ name: string }>`
      SELECT tableoid::regclass::text AS name FROM audit_events WHERE id = ${id}`.execute(
      db.database,
    );
    return rows[0]?.name;
  }

  function recorder(now: () => number) {
    const log = { warn: () => {}, error: () => {} };
    return createAuditRecorder({ database: db.database, mode: 'strict', log, clock: { now } });
  }

  it('are made for this month and the next two, over the end of the year too', async () => {
    await ensureAuditPartitions(db.database, Date.parse('2026-11-30T23:59:59Z'));
    assert.deepEqual(await partitions(), [
      'audit_events_2026_11',
      'audit_events_2026_12',
      'audit_events_2027_01',
      'audit_events_default',
    ]);
  });

  it('are made once, however many servers start at the same time', async () => {
    const now = Date.parse('2026-11-22T12:00:00Z');
    const started = await Promise.allSettled(
      Array.from({ length: 5 }, () => ensureAuditPartitions(db.database, now)),
    );
    // One that waits too long for the others gives up: inserts must go on. It tries again later.
    const late = started.filter((outcome) => outcome.status === 'rejected');
    for (const { reason } of late) assert.match(String(reason), /lock timeout/);
    assert.ok(late.length < 5, 'nobody made them');
    await ensureAuditPartitions(db.database, now);
    assert.equal((await partitions()).length, 4);
  });

  it('take in what the default partition held of their month, and nothing else', async () => {
    const now = Date.parse('2026-11-22T12:00:00Z');
    const audit = recorder(() => now);
    const event = { kind: 'decision', actor: 'root', detail: { note: 'kept' } };
    const times = ['2026-10-31T23:59:59.999Z', '2026-11-01T00:00:00Z', '2027-02-01T00:00:00Z'];
    await db.database
      .transaction()
      .execute((transaction) =>
        audit.write(
          transaction,
          ...times.map((time, index) => ({ ...event, id: `evt_${index}`, at: new Date(time) })),
        ),
      );
    await audit.close();
    await ensureAuditPartitions(db.database, now);
    assert.equal(await partitionOf('evt_0'), 'audit_events_default');
    assert.equal(await partitionOf('evt_1'), 'audit_events_2026_11');
    assert.equal(await partitionOf('evt_2'), 'audit_events_default');
    const { items } = await findEvents(db.database, {});
    assert.deepEqual(
      items.map((item) => [item.id, item.at, item.detail]),
      times
        .map((time, index) => [`evt_${index}`, new Date(time).toISOString(), { note: 'kept' }])
        .reverse(),
    );
  });

  it('are made by the recorder when a month begins', async () => {
    let now = Date.parse('2026-11-22T12:00:00Z');
    const audit = recorder(() => now);
    await audit.record({ kind: 'decision', actor: 'root' });
    await settled(4);
    now = Date.parse('2027-03-01T00:00:00Z');
    await audit.record({ kind: 'decision', actor: 'root' });
    await audit.close();
    assert.deepEqual((await partitions()).slice(3), [
      'audit_events_2027_03',
      'audit_events_2027_04',
      'audit_events_2027_05',
      'audit_events_default',
    ]);
  });

  it('are not needed by an event of whatever time', async () => {
    const audit = recorder(() => Date.parse('2026-11-22T12:00:00Z'));
    for (const at of ['1970-01-01T00:00:00Z', '2026-11-22T12:00:00Z', '9999-12-31T23:59:59Z']) {
      await audit.record({ kind: 'decision', actor: 'root', at: new Date(at) });
    }
    await audit.close();
    assert.equal((await findEvents(db.database, {})).items.length, 3);
  });

  it('stop no insert while somebody else keeps them from being made', async () => {
    const now = Date.parse('2026-11-22T12:00:00Z');
    const audit = recorder(() => now);
    await db.database.transaction().execute(async (transaction) => {
      await audit.write(transaction, { kind: 'decision', actor: 'root', id: 'evt_open' });
      await assert.rejects(ensureAuditPartitions(db.database, now), /lock timeout/);
      await audit.record({ kind: 'decision', actor: 'root', id: 'evt_meanwhile' });
    });
    await audit.close();
    assert.equal(await partitionOf('evt_open'), 'audit_events_default');
    assert.equal(await partitionOf('evt_meanwhile'), 'audit_events_default');
  });

  async function settled(count: number): Promise<void> {
    while ((await partitions()).length < count)
      await new Promise((resolve) => setImmediate(resolve));
  }
});
