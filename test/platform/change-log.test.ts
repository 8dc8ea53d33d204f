import assert from 'node:assert/strict';
import { changesAfter, commitChange, latestRevision } from '../../src/platform/change-log.js';
import { type TestDatabase, testDatabase } from '../support/database.js';

describe('the change log', () => {
  let db: TestDatabase;
  before(async () => {
    db = await testDatabase();
  });
  after(() => db.close());

  it('hands out revisions that grow by one and can be read back in order', async () => {
    const start = await latestRevision(db.database);
    const made = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        commitChange(db.database, async () => ({
          change: { kind: 'test', actor: 'root', detail: { index } },
          result: index,
        })),
      ),
    );
    const revisions = made.map((change) => change.revision).sort((a, b) => a - b);
    assert.deepEqual(
      revisions,
      Array.from({ length: 20 }, (_, index) => start + 1 + index),
    );
    const logged = await changesAfter(db.database, start, 100);
    assert.deepEqual(
      logged.map((change) => change.revision),
      revisions,
    );
  });

  it('spends no revision where nothing changed', async () => {
    const start = await latestRevision(db.database);
    const outcome = await commitChange(db.database, async () => ({ unchanged: 'same' }));
    assert.deepEqual(outcome, { revision: start, result: 'same', changed: false });
    assert.equal(await latestRevision(db.database), start);
  });

  it('leaves nothing behind where the write fails', async () => {
    const start = await latestRevision(db.database);
    await assert.rejects(
      commitChange(db.database, async () => {
        throw new Error('refused');
      }),
      /refused/,
    );
    assert.equal(await latestRevision(db.database), start);
  });
});
