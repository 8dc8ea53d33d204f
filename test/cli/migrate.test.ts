import assert from 'node:assert/strict';
import { sql } from 'kysely';
import { commandLine } from '../support/command-line.js';
import { type TestDatabase, testDatabase } from '../support/database.js';

describe('countersign migrate', () => {
  let database: TestDatabase;
  before(async () => {
    database = await testDatabase();
  });
  after(() => database.close());
  const run = (...argv: string[]) =>
    commandLine(['migrate', ...argv], { env: { DATABASE_URL: database.url } });

  it('has nothing to do where the schema is up to date', async () => {
    assert.deepEqual(await run('up'), { exitCode: 0, stdout: 'nothing to do\n', stderr: '' });
  });

  it('takes the newest migration back, and applies it again', async () => {
    const down = await run('down', '--json');
    assert.equal(down.exitCode, 0, down.stderr);
    const [name] = JSON.parse(down.stdout).migrations;
    assert.match(name, /^\d{4}-[a-z-]+$/);
    assert.equal((await run('up')).stdout, `applied: ${name}\n`);
  });

  it('exits with 1 where the database cannot be reached, and shows no password', async () => {
    const env = { DATABASE_URL: 'postgres://me:s3cret@127.0.0.1:1/none' };
    const ran = await commandLine(['migrate', 'up'], { env });
    assert.equal(ran.exitCode, 1);
    assert.match(ran.stderr, /^error: .*ECONNREFUSED/);
    assert.ok(!ran.stderr.includes('s3cret'));
  });

  it('leaves a schema of a newer version alone, and says what to do', async () => {
    await sql`INSERT INTO countersign_migrations (name, timestamp) VALUES ('9001-later', 'now')`.execute(
      database.database,
    );
    for (const direction of ['up', 'down']) {
      const { exitCode, stderr } = await run(direction);
      assert.equal(exitCode, 2, stderr);
      assert.match(
        stderr,
        /^error: the database `countersign_test_\w+` belongs to a newer version/,
      );
      assert.match(stderr, /`9001-later`.*start that version or a later one/);
    }
    await sql`DELETE FROM countersign_migrations WHERE name = '9001-later'`.execute(
      database.database,
    );
    assert.equal((await run('up')).stdout, 'nothing to do\n');
  });
});
