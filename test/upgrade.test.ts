import assert from 'node:assert/strict';
import { sql } from 'kysely';
import { migrateUp } from '../src/platform/migrate.js';
import { spawnServer, temporaryDataDir } from './support/server-process.js';
import { type TestServer, testServer } from './support/server.js';

/** What a later version may do to the schema: add, and leave alone what is there. */
const LATER = sql`
  ALTER TABLE casbin ADD COLUMN later_note text;
  ALTER TABLE change_log ADD COLUMN later_note text NOT NULL DEFAULT '';
  ALTER TABLE api_keys ADD COLUMN later_note text;
  ALTER TABLE approvals ADD COLUMN later_note jsonb;
  ALTER TABLE bundles ADD COLUMN later_note text;
  ALTER TABLE audit_events ADD COLUMN later_note text;
  CREATE TABLE later_things (id bigint PRIMARY KEY);
  INSERT INTO countersign_migrations (name, timestamp) VALUES ('9001-later', 'now')`;

const DEPLOY = {
  tenant: 'acme',
  subject: 'alice',
  action: 'deploy',
  resource: { type: 'service', id: 'billing', properties: { environment: 'prod' } },
  context: { comment: 'CHG-1234 roll back' },
};

describe('while a newer version migrates the database', function () {
  this.timeout(60_000);
  let server: TestServer;

  before(async () => {
    server = await testServer({ audit: 'strict' });
    await server.call('POST', '/check', { body: DEPLOY });
    await LATER.execute(server.database.database);
  });
  after(() => server.close());

  it('a server that runs goes on: checks, changes and what it keeps of them', async () => {
    const opened = await server.call<{ approval: { id: string } }>('POST', '/check', {
      body: { ...DEPLOY, approval: 'request' },
    });
    assert.equal(opened.status, 200, opened.text);
    const { key } = await server.key(['approver'], { tenant: 'acme', user: 'carol' });
    const path = `/v1/approvals/${opened.body.approval.id}/approve`;
    const approved = await server.call('POST', path, { key, body: {} });
    assert.equal(approved.status, 200, approved.text);
    const spent = await server.call('POST', '/check', { body: DEPLOY });
    assert.equal(spent.body['reason'], 'granted', spent.text);

    const add = [['p', 'viewer', 'acme', 'memo:*', 'read', 'allow']];
    const changed = await server.call('POST', '/v1/rules', { body: { add } });
    assert.equal(changed.status, 200, changed.text);
    const { body } = await server.call<{ files: object }>('GET', '/v1/bundles/1');
    const files = { ...body.files, 'rules/zoe.csv': 'g, zoe, editor, acme\n' };
    const applied = await server.call('POST', '/v1/bundles', { body: { files } });
    assert.equal(applied.status, 201, applied.text);
    const audit = await server.call<{ items: unknown[] }>('GET', '/v1/audit?kind=rules.changed');
    assert.equal(audit.body.items.length, 1);
  });

  it('this version does not start anew, and says what to do', async () => {
    await assert.rejects(migrateUp(server.database.database), /belongs to a newer version/);
    const data = await temporaryDataDir();
    for (const workers of ['1', '2']) {
      const { code, stdout, stderr } = await spawnServer(data.path, {
        DATABASE_URL: server.database.url,
        COUNTERSIGN_ROOT_KEY: 'the-root-key-of-a-server-that-does-not-start',
        COUNTERSIGN_WORKERS: workers,
      }).ended;
      assert.equal(code, 2, stderr);
      assert.equal(stdout, '');
      assert.match(stderr, /error: the database `\w+` belongs to a newer version of Countersign/);
    }
    await data.remove();
  });
});
