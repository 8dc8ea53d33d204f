import assert from 'node:assert/strict';
import { sql } from 'kysely';
import { type Connection, connectDatabase } from '../../src/platform/database.js';
import { type TestDatabase, testDatabase } from '../support/database.js';
import { postgresProxy, type TcpProxy } from '../support/tcp-proxy.js';

describe('a connection to Postgres', () => {
  let db: TestDatabase;
  let proxy: TcpProxy;
  let connection: Connection;
  const lost: Error[] = [];

  before(async () => {
    db = await testDatabase();
    const proxied = await postgresProxy(db.url);
    proxy = proxied.proxy;
    connection = connectDatabase(proxied.url, {
      max: 2,
      queryTimeout: 300,
      connectTimeout: 300,
      onError: (error) => lost.push(error),
    });
  });
  after(async () => {
    await connection.close();
    await proxy.cut();
    await db.close();
  });

  const ask = () => sql`SELECT 1`.execute(connection.database);

  it('gives up a query that is not answered in time, and the connection with it', async () => {
    await Promise.all([ask(), ask()]);
    assert.equal(connection.pool.totalCount, 2);
    proxy.stall();
    await assert.rejects(ask(), /Query read timeout/);
    assert.equal(connection.pool.totalCount, 1);
  });

  it('gives up a transaction alike', async () => {
    await assert.rejects(
      connection.database
        .transaction()
        .execute((transaction) => sql`SELECT 1`.execute(transaction)),
    );
    assert.equal(connection.pool.totalCount, 0);
  });

  it('waits no longer for a connection', async () => {
    await assert.rejects(ask(), /timeout/);
  });

  it('goes on where the network does', async () => {
    await proxy.mend();
    const { rows } = await ask();
    assert.equal(rows.length, 1);
  });

  it('lets a long query end that is within its time', async () => {
    const { rows } = await sql`SELECT pg_sleep(0.05)`.execute(connection.database);
    assert.equal(rows.length, 1);
  });

  it('outlives its backends', async () => {
    await ask();
    await sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND pid <> pg_backend_pid()`.execute(db.database);
    // Each of the pool's two connections may tell of its end at its next use.
    await assert.doesNotReject(ask().catch(ask).catch(ask));
  });
});
