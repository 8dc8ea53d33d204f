import assert from 'node:assert/strict';
import fc from 'fast-check';
import { sql } from 'kysely';
import { type AuditFilter, findEvents } from '../../src/audit/audit-query.js';
import { copyRows } from '../../src/audit/copy-rows.js';
import { encodeRows } from '../../src/audit/encode-rows.js';
import type { AuditEvent } from '../../src/audit/event.js';
import { createAuditRecorder } from '../../src/audit/recorder.js';
import { Unavailable } from '../../src/errors.js';
import { connectDatabase } from '../../src/platform/database.js';
import { migrateDown, migrateUp } from '../../src/platform/migrate.js';
import { resourceKey, subjectKey } from '../../src/vocabulary.js';
import { type TestDatabase, testDatabase } from '../support/database.js';

const NOW = Date.parse('2026-11-30T23:59:59.000Z');
const clock = { now: () => NOW };
const log = { warn: () => {}, error: () => {} };
const wholePage = { limit: 200 };

const oddText = fc.oneof(
  fc.constantFrom(
    'alice',
    'bob',
    'a:b',
    'service:x',
    '\\N',
    'a\tb',
    'a\nb',
    '\r',
    '\\',
    '\\.',
    '"',
  ),
  fc.constantFrom(
    '😀',
    '~',
    '{}',
    'null',
    "o'neil",
    '',
    ' ',
    'x'.repeat(5_000),
    '\\u0000',
    '\\\\t',
  ),
  fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
    .filter((text) => !text.includes('\0')),
);
const oddObject = fc.oneof(
  fc.constant({}),
  fc.dictionary(oddText, fc.oneof(oddText, fc.integer(), fc.boolean(), fc.constant(null)), {
    maxKeys: 3,
    noNullPrototype: true,
  }),
);
const typeName = fc.constantFrom('user', 'service', 'document');

/** Some are asked about again and again. */
const subjectId = fc.oneof({ weight: 3, arbitrary: fc.constantFrom('alice', 'bob') }, oddText);

const check = fc.record(
  {
    tenant: fc.constantFrom('acme', 'globex'),
    subject: fc.record(
      { type: typeName, id: subjectId, properties: oddObject },
      { noNullPrototype: true },
    ),
    action: fc.record(
      { name: fc.constantFrom('read', 'write', 'a\tb'), properties: oddObject },
      { noNullPrototype: true },
    ),
    resource: fc.record(
      { type: typeName, id: oddText, properties: oddObject },
      { noNullPrototype: true },
    ),
    context: oddObject,
  },
  { noNullPrototype: true },
);

/** One call of the API: a check, a batch of them, or a change. */
const call = fc.record({
  actor: fc.constantFrom('key:1', 'alice', 'k\\N'),
  requestId: fc.uuid(),
  ip: fc.option(fc.constant('127.0.0.1'), { nil: undefined }),
  commit: fc.option(oddText, { nil: undefined }),
  revision: fc.nat(),
  checks: fc.array(
    fc.record({
      check,
      decision: fc.constantFrom('allow', 'deny', 'approval_required'),
      message: oddText,
      approvalId: fc.option(fc.constantFrom('apr_1', 'apr_2'), { nil: undefined }),
      later: fc.nat({ max: 3 }),
      rules: fc.option(
        fc.array(
          fc.record(
            { kind: fc.constant('casbin'), rule: fc.array(oddText) },
            { noNullPrototype: true },
          ),
        ),
      ),
    }),
    { maxLength: 8 },
  ),
});

const filters = {
  tenant: fc.constantFrom('acme', 'globex', 'nobody'),
  kind: fc.constantFrom('decision', 'rules.changed'),
  subject: subjectId,
  actor: fc.constantFrom('key:1', 'alice', 'k\\N'),
  action: fc.constantFrom('read', 'write', 'a\tb'),
  decision: fc.constantFrom('allow', 'deny'),
  from: fc.nat({ max: 60 }).map((offset) => new Date(NOW + offset)),
  to: fc.nat({ max: 60 }).map((offset) => new Date(NOW + offset)),
};

/** Several terms at once let hardly anything through: most ask for one thing, or two. */
const filter: fc.Arbitrary<AuditFilter> = fc.oneof(
  fc.record({ subject: filters.subject }),
  fc.record({ from: filters.from }),
  fc.record({ action: filters.action, decision: filters.decision }),
  fc.record({ from: filters.from, to: filters.to, tenant: filters.tenant }),
  fc.record(filters, { requiredKeys: [] }),
);

type Shown = Record<string, unknown>;

describe('rows of the audit', () => {
  let db: TestDatabase;
  before(async () => {
    db = await testDatabase();
  });
  after(() => db.close());
  afterEach(async () => {
    await sql`TRUNCATE audit_events`.execute(db.database);
  });

  function recorder(mode: 'buffered' | 'strict' = 'buffered', limits = {}) {
    return createAuditRecorder({ database: db.database, mode, log, clock, limits });
  }

  async function rowCount(): Promise<number> {
    const { rows } = await sql<{ count: string }>`SELECT count(*) FROM audit_events`.execute(
      db.database,
    );
    return Number(rows[0]?.count);
  }

  it('read back exactly what was recorded, whatever the filter and the size of a page', async function () {
    this.timeout(60_000);
    let made = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(call, { minLength: 1, maxLength: 8 }),
        fc.array(filter, { minLength: 3, maxLength: 3 }),
        fc.integer({ min: 1, max: 15 }),
        fc.constantFrom('record', 'copy', 'write'),
        async (calls, asked, limit, way) => {
          await sql`DELETE FROM audit_events`.execute(db.database);
          const events = calls.flatMap((one) => eventsOf(one, () => `dec_${(made += 1)}`));
          await keep(events, way);
          for (const narrowed of [{}, ...asked]) {
            assert.deepEqual(
              await everyPage(narrowed, limit),
              events
                .filter((event) => lets(narrowed, event))
                .map(shown)
                .reverse(),
            );
          }
        },
      ),
      { numRuns: 30 },
    );
  });

  /** As decisions come, as they are sent, and as changes come. */
  async function keep(events: readonly AuditEvent[], way: string): Promise<void> {
    const audit = recorder();
    if (way === 'record') for (const event of events) await audit.record(event);
    if (way === 'write') {
      await db.database.transaction().execute((transaction) => audit.write(transaction, ...events));
    }
    await audit.close();
    if (way !== 'copy') return;
    const rows = await encodeRows(
      events.map((event) => ({ event, at: event.at?.getTime() ?? NOW, redactPaths: [] })),
    );
    await copyRows(db.database, rows, { relaxed: true });
  }

  async function everyPage(narrowed: AuditFilter, limit: number): Promise<Shown[]> {
    const seen: Shown[] = [];
    const numbers: number[] = [];
    let after: string | undefined;
    do {
      const page = await findEvents(db.database, {
        ...narrowed,
        limit,
        ...(after === undefined ? {} : { after }),
      });
      for (const { seq, ...rest } of page.items) {
        seen.push(rest);
        numbers.push(seq);
      }
      after = page.next ?? undefined;
    } while (after !== undefined);
    assert.deepEqual(
      numbers,
      [...new Set(numbers)].sort((a, b) => b - a),
    );
    return seen;
  }

  it('hold the decisions of one batch together, a hundred at most', async () => {
    const audit = recorder();
    for (let index = 0; index < 250; index += 1) await audit.record(simple(index, 'one'));
    for (let index = 250; index < 260; index += 1) await audit.record(simple(index, `r${index}`));
    await audit.close();
    assert.equal(await rowCount(), 3 + 10);
  });

  it('keep decisions apart that share a request, but no tenant or actor', async () => {
    const audit = recorder();
    await audit.record(simple(1, 'r'));
    await audit.record({ ...simple(2, 'r'), tenant: 'globex' });
    await audit.record({ ...simple(3, 'r'), tenant: 'globex', actor: 'key:2' });
    await audit.record({ ...simple(4, 'r'), tenant: 'globex', actor: 'key:2', kind: 'other' });
    await audit.close();
    assert.equal(await rowCount(), 4);
  });

  it('store nothing of a usual check but what their columns do not tell', async () => {
    const audit = recorder();
    await audit.record(simple(1, 'r'));
    await audit.close();
    const { rows } = await sql<{ asked: object; detail: object }>`
      SELECT asked, detail FROM audit_events`.execute(db.database);
    assert.deepEqual(rows, [{ asked: {}, detail: { message: 'because' } }]);
  });

  it('show SQL the same events, in the view `audit_log`', async () => {
    const audit = recorder();
    const events = fc.sample(call, { numRuns: 30, seed: 7 });
    let made = 0;
    for (const one of events) {
      for (const event of eventsOf(one, () => `dec_${(made += 1)}`)) await audit.record(event);
    }
    await audit.close();
    const { rows } = await sql<Shown & { at: Date; seq: string; revision: string | null }>`
      SELECT * FROM audit_log ORDER BY seq DESC LIMIT 200`.execute(db.database);
    const { items } = await findEvents(db.database, wholePage);
    assert.ok(items.length > 50, `${items.length} events`);
    assert.deepEqual(
      rows.map(({ at, seq, revision, ...rest }) => ({
        ...Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== null)),
        at: at.toISOString(),
        seq: Number(seq),
        revision: Number(revision),
      })),
      items,
    );
  });

  it('survive the migration that made them, down and up again', async () => {
    const audit = recorder();
    try {
      for (let index = 0; index < 30; index += 1) await audit.record(simple(index, 'one'));
      await audit.record({ ...simple(30, 'two'), subject: 'service:x', detail: { odd: '\\N\t"' } });
      await db.database
        .transaction()
        .execute((transaction) =>
          audit.write(transaction, { kind: 'rules.changed', actor: 'root', detail: { added: 1 } }),
        );
      await audit.close();
      const before = (await findEvents(db.database, wholePage)).items;
      await down();
      const { rows } = await sql<Shown>`
        SELECT id, subject, reason, detail FROM audit_events ORDER BY seq DESC`.execute(
        db.database,
      );
      assert.deepEqual(
        rows,
        before.map(({ id, subject = null, reason = null, detail }) => ({
          id,
          subject,
          reason,
          detail,
        })),
      );
      await migrateUp(db.database);
      assert.deepEqual((await findEvents(db.database, wholePage)).items, before);
      const after = recorder('strict');
      await after.record(simple(99, 'later'));
      await after.close();
      assert.equal((await findEvents(db.database, {})).items[0]?.id, 'dec_99');
    } finally {
      await migrateUp(db.database);
    }
  });

  async function down(): Promise<void> {
    let name: string | undefined;
    do [name] = await migrateDown(db.database);
    while (name !== undefined && name !== '0007-audit-rows');
  }

  it('are written once where the connection is lost in the middle of a copy', async () => {
    const audit = recorder('buffered', { batch: 30 });
    for (let index = 0; index < 200; ) {
      const lock = await holdTable();
      for (const end = index + 50; index < end; index += 1) {
        await audit.record(simple(index, `r${index >> 4}`));
      }
      const flushed = assert.rejects(audit.flush(), Unavailable);
      await lock.killWaiting();
      await flushed;
      await lock.release();
    }
    await audit.close();
    const { items } = await findEvents(db.database, wholePage);
    assert.deepEqual(
      items.map((item) => item.id),
      Array.from({ length: 200 }, (_, index) => `dec_${199 - index}`),
    );
  });

  it('are written once where the commit is not confirmed', async () => {
    const audit = recorder('buffered', { batch: 1_000 });
    for (let index = 0; index < 120; index += 1) await audit.record(simple(index, 'r'));
    // The same events are there already, as after a commit of which nothing was heard.
    const twin = recorder();
    for (let index = 0; index < 120; index += 1) await twin.record(simple(index, 'r'));
    await twin.close();
    await audit.close();
    const { items } = await findEvents(db.database, wholePage);
    assert.equal(items.length, 120);
    assert.equal(audit.pending, 0);
  });

  it('are all whole but the one that Postgres refuses, in a batch too', async () => {
    const audit = recorder();
    const events = [0, 1, 2].map((index) => ({ ...simple(index, 'r'), revision: 0.5 }));
    for (const event of events) await audit.record(event);
    for (const index of [3, 4, 5]) await audit.record(simple(index, 'r'));
    await audit.close();
    const { items } = await findEvents(db.database, {});
    assert.deepEqual(
      items.map(({ id, subject, detail }) => [id, subject, Object.keys(Object(detail))[0]]),
      [
        ['dec_5', 'user-5', 'check'],
        ['dec_4', 'user-4', 'check'],
        ['dec_3', 'user-3', 'check'],
        ['dec_2', undefined, 'unstorable'],
        ['dec_1', undefined, 'unstorable'],
        ['dec_0', undefined, 'unstorable'],
      ],
    );
  });

  it('are not looked for longer than a look-up may take', async () => {
    const lock = await holdTable();
    try {
      await assert.rejects(
        findEvents(db.database, {}, { patience: 20 }),
        (error) => error instanceof Unavailable && /narrow it/.test(error.message),
      );
    } finally {
      await lock.release();
    }
  });

  /** Keeps every write and look-up waiting. */
  async function holdTable() {
    const own = connectDatabase(db.url, { max: 2 });
    const client = await own.pool.connect();
    await client.query('BEGIN; LOCK TABLE audit_events IN ACCESS EXCLUSIVE MODE');
    return {
      /** Kills the backend that waits for the table, once there is one. */
      async killWaiting(): Promise<void> {
        for (let killed = 0; killed === 0; ) {
          const { rowCount: count } = await own.pool.query(`
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock'
              AND query ~ '(COPY|INSERT INTO) audit_events '`);
          killed = count ?? 0;
        }
      },
      async release(): Promise<void> {
        await client.query('COMMIT');
        client.release();
        await own.close();
      },
    };
  }
});

function simple(index: number, requestId: string): AuditEvent {
  const id = `user-${index}`;
  return {
    id: `dec_${index}`,
    kind: 'decision',
    tenant: 'acme',
    actor: 'key:1',
    subject: id,
    action: 'read',
    resource: 'document:1',
    decision: 'allow',
    reason: 'allowed',
    requestId,
    detail: {
      check: {
        tenant: 'acme',
        subject: { type: 'user', id, properties: {} },
        action: { name: 'read', properties: {} },
        resource: { type: 'document', id: '1', properties: {} },
        context: {},
      },
      message: 'because',
    },
  };
}

let clockOffset = 0;

function eventsOf(
  {
    checks,
    actor,
    requestId,
    ip,
    commit,
    revision,
  }: typeof call extends fc.Arbitrary<infer T> ? T : never,
  id: () => string,
): AuditEvent[] {
  clockOffset = (clockOffset + 5) % 40;
  if (checks.length === 0) {
    return [
      { id: id(), kind: 'rules.changed', actor, at: new Date(NOW), revision, detail: { added: 1 } },
    ];
  }
  let at = NOW + clockOffset;
  return checks.map((asked) => {
    at += asked.later;
    return {
      id: id(),
      kind: 'decision',
      at: new Date(at),
      tenant: asked.check.tenant,
      actor,
      subject: subjectKey(asked.check.subject),
      action: asked.check.action.name,
      resource: resourceKey(asked.check.resource),
      decision: asked.decision as 'allow',
      reason: 'allowed',
      rules: (asked.rules ?? undefined) as AuditEvent['rules'],
      revision,
      commit,
      requestId,
      approvalId: asked.approvalId,
      ip,
      detail: { check: asked.check, message: asked.message },
    };
  });
}

/** An event as it must be read back. */
function shown({ at, requestId, approvalId, ...event }: AuditEvent): Shown {
  const members = {
    ...event,
    at: (at ?? new Date(NOW)).toISOString(),
    request_id: requestId,
    approval_id: approvalId,
  };
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}

function lets(narrowed: AuditFilter, event: AuditEvent): boolean {
  const { from, to, ...exact } = narrowed;
  const at = event.at?.getTime() ?? NOW;
  return (
    Object.entries(exact).every(([name, value]) => Reflect.get(event, name) === value) &&
    (from === undefined || at >= from.getTime()) &&
    (to === undefined || at < to.getTime())
  );
}
