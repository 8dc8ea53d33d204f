import assert from 'node:assert/strict';
import { sql } from 'kysely';
import { Conflict, IdempotencyKeyReused, InvalidRequest } from '../../src/errors.js';
import { forgetOldAnswers, idempotently, keepAnswer } from '../../src/decision/idempotency.js';
import type { JsonObject } from '../../src/vocabulary.js';
import { type TestDatabase, testDatabase } from '../support/database.js';

describe('a call with an Idempotency-Key', () => {
  let db: TestDatabase;
  before(async () => {
    db = await testDatabase();
  });
  after(() => db.close());

  let calls = 0;
  const call = (key: string, body: JsonObject = { n: 1 }, caller = 'key:1') =>
    idempotently(db.database, { caller, key, path: '/check', body }, async () => {
      calls += 1;
      return { answer: calls };
    });

  it('is answered once, and its repetitions alike', async () => {
    const first = await call('same');
    assert.deepEqual(await call('same'), first);
    assert.notDeepEqual(await call('other'), first);
  });

  it('is the same with its members in another order', async () => {
    const first = await call('order', { a: 1, b: { c: 2, d: 3 } });
    assert.deepEqual(await call('order', { b: { d: 3, c: 2 }, a: 1 }), first);
  });

  it('is another call for another caller', async () => {
    assert.notDeepEqual(await call('mine'), await call('mine', { n: 1 }, 'key:2'));
  });

  it('is refused with another body, or at another path', async () => {
    await call('body');
    await assert.rejects(call('body', { n: 2 }), IdempotencyKeyReused);
    await assert.rejects(
      idempotently(
        db.database,
        { caller: 'key:1', key: 'body', path: '/check/batch', body: { n: 1 } },
        async () => 1,
      ),
      IdempotencyKeyReused,
    );
  });

  it('waits for the answer to the first, but not for ever', async () => {
    let begun = () => {};
    let finish = (_: object) => {};
    const started = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const first = idempotently(
      db.database,
      { caller: 'key:1', key: 'slow', path: '/check', body: { n: 1 } },
      () =>
        new Promise<object>((resolve) => {
          finish = resolve;
          begun();
        }),
    );
    await started;
    const impatient = { caller: 'key:1', key: 'slow', path: '/check', body: { n: 1 } };
    await assert.rejects(
      idempotently(db.database, impatient, async () => 'again', 0),
      Conflict,
    );
    const patient = call('slow');
    finish({ answer: 'late' });
    await first;
    assert.deepEqual(await patient, { answer: 'late' });
  });

  it('may be tried again after an error', async () => {
    const failing = idempotently(
      db.database,
      { caller: 'key:1', key: 'failed', path: '/check', body: { n: 1 } },
      async () => {
        throw new Error('away');
      },
    );
    await assert.rejects(failing, /away/);
    assert.ok((await call('failed')).answer > 0);
  });

  it('keeps what was kept with the grant, should the rest fail', async () => {
    const request = { caller: 'key:1', key: 'crash', path: '/check', body: { n: 1 } };
    const crash = idempotently(db.database, request, async (claim) => {
      await keepAnswer(db.database, claim, '{"answer":"spent"}');
      throw new Error('crashed after the commit');
    });
    await assert.rejects(crash);
    assert.deepEqual(await call('crash'), { answer: 'spent' });
  });

  it('keeps no answer of a call whose claim another has taken over', async () => {
    const request = { caller: 'key:1', key: 'slow-crash', path: '/check', body: { n: 1 } };
    const slow = idempotently(db.database, request, async () => {
      await sql`UPDATE idempotent_answers SET claim = 'another' WHERE key = 'slow-crash'`.execute(
        db.database,
      );
      return { answer: 'late' };
    });
    await assert.rejects(slow, Conflict);
  });

  it('is forgotten after ten minutes', async () => {
    const first = await call('old');
    await sql`UPDATE idempotent_answers SET claimed_at = claimed_at - interval '11 minutes'
      WHERE key = 'old'`.execute(db.database);
    assert.notDeepEqual(await call('old'), first);
    await sql`UPDATE idempotent_answers SET claimed_at = claimed_at - interval '11 minutes'
      WHERE key = 'old'`.execute(db.database);
    await forgetOldAnswers(db.database);
    const { rows } = await sql`SELECT 1 FROM idempotent_answers WHERE key = 'old'`.execute(
      db.database,
    );
    assert.equal(rows.length, 0);
  });

  it('may be taken over from a server that died', async () => {
    await sql`INSERT INTO idempotent_answers (caller, key, body, claim, claimed_at)
      VALUES ('key:1', 'died', 'x', 'y', clock_timestamp() - interval '3 minutes')`.execute(
      db.database,
    );
    assert.ok((await call('died')).answer > 0);
  });

  for (const key of ['', ' ', 'ü', 'a b', 'x'.repeat(256)]) {
    it(`refuses the key ${JSON.stringify(key.slice(0, 10))}`, async () => {
      await assert.rejects(call(key), InvalidRequest);
    });
  }
});
