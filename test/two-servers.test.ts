import assert from 'node:assert/strict';
import { type TestServer, testServer } from './support/server.js';

const READ = { tenant: 'acme', subject: 'newcomer', action: 'read', resource: 'document:1' };

describe('two servers on one database', () => {
  let one: TestServer;
  let other: TestServer;
  before(async () => {
    one = await testServer();
    other = await testServer({ databaseUrl: one.database.url, rootKey: one.rootKey });
  });
  after(async () => {
    await other.close();
    await one.close();
  });

  it('answer by the same rules: who asks for a revision gets its rules anywhere', async () => {
    const before = await other.call('POST', '/check', { key: one.rootKey, body: READ });
    assert.equal(before.body['allowed'], false, before.text);
    const add = [['g', 'newcomer', 'viewer', 'acme']];
    const changed = await one.call<{ revision: number }>('POST', '/v1/rules', { body: { add } });
    const body = { ...READ, min_revision: changed.body.revision };
    assert.equal(
      (await other.call('POST', '/check', { key: one.rootKey, body })).body['allowed'],
      true,
    );
  });

  it('are told of a change: a revoked key is refused by the other soon, and for good', async () => {
    const { id, key } = await one.key(['service'], { tenant: 'acme' });
    const ask = async () => (await other.call('POST', '/check', { key, body: READ })).status;
    const until = async (status: number): Promise<void> => {
      // Without a notice the other would look again after 5 seconds; the test ends before that.
      for (const end = Date.now() + 3_000; (await ask()) !== status; ) {
        assert.ok(Date.now() < end, `not answered with ${status} in time`);
      }
    };
    await until(200);
    await one.call('DELETE', `/v1/keys/${id}`);
    await until(401);
  });

  it('share their rate limits', async () => {
    const body = { tenant: 'acme', subject: 'mona', action: 'export', resource: 'report:1' };
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, index) =>
        (index % 2 === 0 ? one : other).call('POST', '/check', { key: one.rootKey, body }),
      ),
    );
    assert.equal(answers.filter((answer) => answer.body['allowed'] === true).length, 5);
  });
});
