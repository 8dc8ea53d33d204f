import assert from 'node:assert/strict';
import { sql } from 'kysely';
import { type AuditFilter, findEvents } from '../../src/audit/audit-query.js';
import type { AuditEvent } from '../../src/audit/event.js';
import { createAuditRecorder } from '../../src/audit/recorder.js';
import { InvalidRequest } from '../../src/errors.js';
import { type TestDatabase, testDatabase } from '../support/database.js';

const NOW = Date.parse('2026-11-22T12:00:00Z');

const EVENTS: readonly AuditEvent[] = Array.from({ length: 120 }, (_, index) => ({
  id: `evt_${index}`,
  at: new Date(NOW + index * 60_000),
  kind: index % 3 === 0 ? 'rules.changed' : 'decision',
  actor: index % 2 === 0 ? 'root' : 'key:1',
  ...(index % 5 === 0 ? {} : { tenant: index % 5 === 1 ? 'globex' : 'acme' }),
  subject: `user-${index % 7}`,
  action: index % 4 === 0 ? 'read' : 'write',
  ...(index % 3 === 0 ? {} : { decision: index % 2 === 0 ? 'allow' : 'deny' }),
}));

describe('audit queries', () => {
  let db: TestDatabase;
  before(async () => {
    db = await testDatabase();
    const audit = createAuditRecorder({
      database: db.database,
      mode: 'buffered',
      log: { warn: () => {}, error: () => {} },
      clock: { now: () => NOW },
    });
    for (const event of EVENTS) await audit.record(event);
    await audit.close();
  });
  after(() => db.close());

  async function ids(filter: AuditFilter): Promise<string[]> {
    return (await findEvents(db.database, { limit: 200, ...filter })).items.map((item) => item.id);
  }

  function expected(matches: (event: AuditEvent) => boolean): (string | undefined)[] {
    return EVENTS.filter(matches)
      .map((event) => event.id)
      .reverse();
  }

  it('answers with 50 events, the newest first, unless asked for more', async () => {
    const { items, next } = await findEvents(db.database, {});
    assert.deepEqual(
      items.map((item) => item.id),
      expected(() => true).slice(0, 50),
    );
    assert.notEqual(next, null);
  });

  it('gives each event once over all pages, and null at the end', async () => {
    const seen: string[] = [];
    let after: string | undefined;
    for (let page = 0; page < 100; page++) {
      const { items, next } = await findEvents(db.database, {
        limit: 7,
        tenant: 'acme',
        ...(after === undefined ? {} : { after }),
      });
      seen.push(...items.map((item) => item.id));
      if (next === null) break;
      after = next;
    }
    assert.deepEqual(
      seen,
      expected((event) => event.tenant === 'acme'),
    );
  });

  it('says that there is no next page where the last one is just full', async () => {
    const all = await findEvents(db.database, { limit: EVENTS.length });
    assert.equal(all.items.length, EVENTS.length);
    assert.equal(all.next, null);
  });

  for (const [member, value] of Object.entries({
    tenant: 'globex',
    kind: 'rules.changed',
    subject: 'user-3',
    actor: 'key:1',
    action: 'read',
    decision: 'deny',
  })) {
    it(`narrows by ${member}`, async () => {
      const found = await ids({ [member]: value });
      assert.ok(found.length > 0 && found.length < EVENTS.length);
      assert.deepEqual(
        found,
        expected((event) => event[member as keyof AuditEvent] === value),
      );
    });
  }

  it('takes every filter together', async () => {
    assert.deepEqual(
      await ids({ tenant: 'acme', actor: 'root', action: 'write', decision: 'allow' }),
      expected(
        (event) =>
          event.tenant === 'acme' &&
          event.actor === 'root' &&
          event.action === 'write' &&
          event.decision === 'allow',
      ),
    );
  });

  it('takes `from` as included and `to` as excluded', async () => {
    const from = new Date(NOW + 3 * 60_000);
    const to = new Date(NOW + 5 * 60_000);
    assert.deepEqual(await ids({ from, to }), ['evt_4', 'evt_3']);
  });

  it('shows no members that an event does not have', async () => {
    const { items } = await findEvents(db.database, { subject: 'user-0', limit: 200 });
    const first = items.at(-1);
    assert.ok(first);
    assert.deepEqual(Object.keys(first).sort(), [
      'action',
      'actor',
      'at',
      'id',
      'kind',
      'seq',
      'subject',
    ]);
  });

  it('matches values exactly, patterns and quotes being plain characters', async () => {
    for (const subject of ['%', 'user-_', "' OR true --", '', 'USER-3']) {
      assert.deepEqual(await ids({ subject }), []);
    }
  });

  for (const filter of [
    { after: 'x' },
    { after: '-1' },
    { after: '1e3' },
    { after: '9'.repeat(40) },
    { after: '' },
    { limit: 0 },
    { limit: 201 },
    { limit: 1.5 },
    { limit: Number.NaN },
    { subject: 'a\0b' },
    { kind: '\ud800' },
  ]) {
    it(`refuses ${JSON.stringify(filter)}`, async () => {
      await assert.rejects(findEvents(db.database, filter), InvalidRequest);
    });
  }

  it('reads a tenant, and a subject, through an index', async () => {
    await db.database.transaction().execute(async (transaction) => {
      await sql`SET LOCAL enable_seqscan = off`.execute(transaction);
      for (const member of ['tenant', 'subject']) {
        const { rows } = await sql<{ 'QUERY PLAN': string }>`
          EXPLAIN SELECT * FROM audit_events WHERE ${sql.ref(member)} = 'x'
          ORDER BY seq DESC LIMIT 51`.execute(transaction);
        const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
        assert.match(plan, new RegExp(`Index Cond: \\(+${member}`));
      }
    });
  });
});
