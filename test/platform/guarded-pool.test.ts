import assert from 'node:assert/strict';
import { sql } from 'kysely';
import { Unavailable } from '../../src/errors.js';
import { Breaker } from '../../src/platform/breaker.js';
import { type Connection, connectDatabase } from '../../src/platform/database.js';
import { type TestDatabase, testDatabase } from '../support/database.js';
import { postgresProxy, type TcpProxy } from '../support/tcp-proxy.js';

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
});
