import assert from 'node:assert/strict';
import { sql } from 'kysely';
import { Unavailable } from '../../src/errors.js';
import { Breaker } from '../../src/platform/breaker.js';
import { type Connection, connectDatabase } from '../../src/platform/database.js';
import { goDeaf } from '../support/busy.js';
import { type TestDatabase, testDatabase } from '../support/database.js';
import { postgresProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';

/** Milliseconds; far above what a query takes here, far below a test's own time. */
const QUERY_TIMEOUT = 400;

describe('a guarded pool', () => {
  let db: TestDatabase;
  let proxy: TcpProxy;
  let connection: Connection;
  let now = 0;
  const breaker = new Breaker({ failures: 3, pause: 1_000, clock: { now: () => now } });

  before(async () => {
    db = await testDatabase();
    const proxied = await postgresProxy(db.url);
    proxy = proxied.proxy;
    connection = connectDatabase(proxied.url, {
      max: 1,
      maxWaiting: 2,
      queryTimeout: QUERY_TIMEOUT,
      connectTimeout: QUERY_TIMEOUT,
      transactionTimeout: 1_000,
      breaker,
    });
  });
  after(async () => {
    await connection.close();
    await proxy.cut();
    await db.close();
  });

  const ask = () => sql<{ one: number }>`SELECT 1 AS one`.execute(connection.database);

  it('refuses at once who would be one too many to wait', async () => {
    const answers = await Promise.allSettled([ask(), ask(), ask(), ask()]);
    assert.deepEqual(
      answers.map(({ status }) => status),
      ['fulfilled', 'fulfilled', 'fulfilled', 'rejected'],
    );
    const [refused] = answers.filter((answer) => answer.status === 'rejected');
    assert.ok(refused?.reason instanceof Unavailable, String(refused?.reason));
    assert.match(refused.reason.message, /too many calls wait/);
  });

  it('leaves to a query only what the wait for its connection left of its time', async () => {
    const first = sql`SELECT pg_sleep(0.3)`.execute(connection.database);
    const second = sql`SELECT pg_sleep(0.3)`.execute(connection.database);
    await first;
    await assert.rejects(second, /timeout/i);
    assert.equal(breaker.isOpen, false);
  });

  it('gives each query of a transaction its whole time', async () => {
    await connection.database.transaction().execute(async (transaction) => {
      await sql`SELECT pg_sleep(0.25)`.execute(transaction);
      await sql`SELECT pg_sleep(0.25)`.execute(transaction);
    });
  });

  it('has Postgres end a transaction that nobody goes on with', async () => {
    const { rows } = await sql<{ idle: string; statement: string }>`
      SELECT current_setting('idle_in_transaction_session_timeout') AS idle,
        current_setting('statement_timeout') AS statement`.execute(connection.database);
    assert.deepEqual(rows, [{ idle: '1s', statement: '400ms' }]);
  });

  it('takes an error that Postgres answers with for an answer', async () => {
    for (let i = 0; i < 4; i += 1) {
      await assert.rejects(sql`SELECT 1 / 0`.execute(connection.database), /division by zero/);
    }
    assert.equal(breaker.isOpen, false);
  });

  it('asks no more once Postgres has not answered a few times in a row', async () => {
    proxy.stall();
    for (let i = 0; i < 3; i += 1) await assert.rejects(ask(), /time/i);
    assert.equal(breaker.isOpen, true);
    await assert.rejects(ask(), (error) => {
      assert.ok(error instanceof Unavailable, String(error));
      assert.equal(error.retryAfter, 1);
      return true;
    });
    assert.equal(connection.pool.totalCount, 0);
  });

  it('sends one query to find out, and goes on where that is answered', async () => {
    now += 1_000;
    await assert.rejects(ask(), /time/i);
    await proxy.mend();
    await assert.rejects(ask(), Unavailable);
    now += 1_000;
    const [probe, other] = await Promise.allSettled([ask(), ask()]);
    assert.deepEqual([probe.status, other.status], ['fulfilled', 'rejected']);
    assert.equal((await ask()).rows[0]?.one, 1);
  });

  it('ends in Postgres, too, what it gives up', async () => {
    const [, { rows }] = await Promise.all([
      assert.rejects(sql`SELECT pg_sleep(60)`.execute(connection.database)),
      sql<{ pid: number }>`SELECT pg_backend_pid() AS pid`.execute(db.database),
    ]);
    await until(
      () =>
        sql`SELECT FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> ${rows[0]?.pid}
          AND state = 'active' AND query LIKE '%pg_sleep(60)%'`.execute(db.database),
      (active) => active.rows.length === 0,
    );
  });

  describe('of a process that is busy', () => {
    let busy: Connection;
    const own = new Breaker({ failures: 1 });

    beforeEach(() => {
      busy = connectDatabase(db.url, {
        max: 1,
        queryTimeout: QUERY_TIMEOUT,
        connectTimeout: QUERY_TIMEOUT,
        breaker: own,
      });
    });
    afterEach(() => busy.close());

    const backend = async (): Promise<number | undefined> => {
      const { rows } = await sql<{ pid: number }>`
        SELECT pg_backend_pid() AS pid, pg_sleep(0.01)`.execute(busy.database);
      return rows[0]?.pid;
    };

    it('takes an answer that came meanwhile, and keeps the connection', async () => {
      const before = await backend();
      const during = backend();
      await goDeaf(2 * QUERY_TIMEOUT);
      assert.deepEqual([await during, await backend()], [before, before]);
    });

    it('makes its connections', async () => {
      const answered = backend();
      await goDeaf(2 * QUERY_TIMEOUT);
      assert.equal(await answered, await backend());
    });

    it('lets others wait for a connection, and has time left for their queries', async () => {
      const answered = [backend(), backend(), backend()];
      await goDeaf(2 * QUERY_TIMEOUT);
      const [first, ...others] = await Promise.all(answered);
      assert.deepEqual(others, [first, first]);
    });

    it('does not take Postgres for away', async () => {
      const answered = [backend(), backend()];
      await goDeaf(2 * QUERY_TIMEOUT);
      await Promise.all(answered);
      assert.equal(own.isOpen, false);
    });

    it('gives up a Postgres that is silent all the same', async () => {
      const proxied = await postgresProxy(db.url);
      const silent = connectDatabase(proxied.url, { max: 1, queryTimeout: QUERY_TIMEOUT });
      const one = () => sql`SELECT 1`.execute(silent.database);
      await one();
      proxied.proxy.stall();
      const asked = assert.rejects(one(), /Query read timeout/);
      await goDeaf(2 * QUERY_TIMEOUT);
      await asked;
      assert.equal(silent.pool.totalCount, 0);
      await silent.close();
      await proxied.proxy.cut();
    });
  });

  describe('for what may take long', () => {
    let url: string;
    let other: TcpProxy;
    let patient: Connection;

    before(async () => {
      ({ url, proxy: other } = await postgresProxy(db.url));
      patient = connectDatabase(url, {
        max: 1,
        firstTimeout: QUERY_TIMEOUT,
        queryTimeout: 60_000,
        connectTimeout: QUERY_TIMEOUT,
      });
    });
    after(async () => {
      await patient.close();
      await other.cut();
    });
    afterEach(() => other.mend());

    const transaction = (work: string) =>
      patient.database.transaction().execute((inside) => sql`${sql.raw(work)}`.execute(inside));

    it('gives the statements of a transaction their time', async () => {
      await assert.doesNotReject(transaction('SELECT pg_sleep(0.6)'));
    });

    it('finds out soon that nobody is there to begin it', async () => {
      await transaction('SELECT 1');
      other.stall();
      await assert.rejects(transaction('SELECT 1'), /time/i);
    });

    it('says of a commit that was not confirmed that it may have happened', async () => {
      const lost = connectDatabase(url, { max: 1, queryTimeout: QUERY_TIMEOUT });
      other.loseAnswersTo('commit\0');
      const write = lost.database.transaction();
      const read = lost.database.transaction().setAccessMode('read only');
      const work = (inside: Connection['database']) => sql`SELECT 1`.execute(inside);
      await assert.rejects(write.execute(work), (error) => {
        assert.ok(error instanceof Unavailable, String(error));
        assert.match(error.message, /it may be kept all the same/);
        return true;
      });
      await assert.rejects(read.execute(work), /Query read timeout/);
      await lost.close();
    });
  });
});
