import assert from 'node:assert/strict';
import { sql } from 'kysely';
import { createLogger } from '../../src/platform/log.js';
import { enterRoll, type ServerRoll } from '../../src/platform/server-roll.js';
import { type TestDatabase, testDatabase } from '../support/database.js';

describe('the roll of servers', () => {
  const log = createLogger('silent');
  let db: TestDatabase;
  const entered: ServerRoll[] = [];

  beforeEach(async () => {
    db = await testDatabase();
  });
  afterEach(async () => {
    for (const server of entered.splice(0)) await server.leave();
    await db.close();
  });

  const enter = (): ServerRoll => {
    const server = enterRoll({ database: db.database, log });
    entered.push(server);
    return server;
  };
  const seenSecondsAgo = async (seconds: number): Promise<void> => {
    await sql`UPDATE servers SET seen_at = seen_at - ${seconds} * interval '1 s'`.execute(
      db.database,
    );
  };

  it('counts the servers that have called, and one before any has', async () => {
    const [one, two] = [enter(), enter()];
    assert.equal(one.standing.count, 1);
    await one.call();
    await two.call();
    assert.equal(two.standing.count, 2);
    await one.call();
    assert.equal(one.standing.count, 2);
  });

  it('has one of two that enter at once know of both', async () => {
    for (let round = 1; round <= 20; round += 1) {
      const two = [enter(), enter()];
      await Promise.all(two.map((server) => server.call()));
      assert.equal(Math.max(...two.map(({ standing }) => standing.count)), 2 * round);
    }
  });

  it('gives each a place of its own', async () => {
    const servers = [enter(), enter(), enter()];
    for (const server of [...servers, ...servers]) await server.call();
    const standings = servers.map(({ standing }) => standing);
    assert.deepEqual(
      standings.sort((a, b) => a.place - b.place),
      [0, 1, 2].map((place) => ({ count: 3, place })),
    );
  });

  it('forgets a server that left, after a few more calls', async () => {
    const [stays, leaves] = [enter(), enter()];
    await leaves.call();
    await stays.call();
    await leaves.leave();
    const counts: number[] = [];
    for (let i = 0; i < 3; i += 1) {
      await stays.call();
      counts.push(stays.standing.count);
    }
    assert.deepEqual(counts, [2, 2, 1]);
    assert.equal(stays.standing.place, 0);
  });

  it('counts a server for 15 seconds after its last call, then strikes it off', async () => {
    await enter().call();
    await seenSecondsAgo(14);
    const late = enter();
    await late.call();
    assert.equal(late.standing.count, 2);

    await seenSecondsAgo(16);
    const later = enter();
    await later.call();
    assert.equal(later.standing.count, 1);
    const { rows } = await sql`SELECT id FROM servers`.execute(db.database);
    assert.equal(rows.length, 1);
  });

  it('goes by the last count while Postgres does not answer, and says so once', async () => {
    const said: string[] = [];
    const telling = createLogger('info', { write: (line: string) => void said.push(line) });
    const server = enterRoll({ database: db.database, log: telling });
    entered.push(server);
    await enter().call();
    await server.call();
    await sql`ALTER TABLE servers RENAME TO elsewhere`.execute(db.database);
    await assert.rejects(server.call());
    server.callSoon();
    await server.leave();
    assert.equal(server.standing.count, 2);
    assert.equal(said.filter((line) => line.includes('the last count holds')).length, 1);
  });
});
