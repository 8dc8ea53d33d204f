import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { sql } from 'kysely';
import { Unauthenticated } from '../../src/errors.js';
import { authenticate, authenticateAgain } from '../../src/identity/authenticate.js';
import { installRootKey } from '../../src/identity/install-root-key.js';
import { followKeys, LiveKeys, loadKeys } from '../../src/identity/key-ring.js';
import type { KeyService } from '../../src/identity/key-service.js';
import type { SystemRole } from '../../src/identity/system-roles.js';
import { newestPlace } from '../../src/platform/change-tail.js';
import { commitChange } from '../../src/platform/change-log.js';
import { connectDatabase } from '../../src/platform/database.js';
import { keyServiceOn, ROOT } from '../support/keys.js';
import { type TestDatabase, testDatabase } from '../support/database.js';

const NOW = Date.parse('2026-11-23T12:00:00Z');
/** As many as the ring remembers. */
const MOST = 10_000;

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

describe('the ring of live keys', () => {
  let db: TestDatabase;
  let keys: KeyService;

  before(async () => {
    db = await testDatabase();
  });
  beforeEach(() => {
    keys = keyServiceOn(db.database, { now: () => NOW });
  });
  afterEach(async () => {
    await sql`DELETE FROM api_keys`.execute(db.database);
    await sql`DELETE FROM change_log`.execute(db.database);
    await sql`DELETE FROM audit_events`.execute(db.database);
  });
  after(() => db.close());

  const make = (name: string, more: { expires_at?: string; roles?: SystemRole[] } = {}) =>
    keys.create(ROOT, { name, tenant: 'acme', roles: ['service'], ...more });

  /** Keys `key 1` and so on, and a change in the log for each, as so many calls would leave them. */
  async function makeMany(count: number): Promise<void> {
    await sql`
      INSERT INTO api_keys (id, hash, name, tenant, person, roles, created_by)
      SELECT 'key_' || i, sha256(('key ' || i)::bytea), 'one of many', 'acme', 'key:key_' || i, '{service}', 'root'
      FROM generate_series(1, ${count}) AS i`.execute(db.database);
    await sql`
      INSERT INTO change_log (revision, kind, actor, detail)
      SELECT i, 'key.created', 'root', json_build_object('key', 'key_' || i)
      FROM generate_series(1, ${count}) AS i`.execute(db.database);
  }

  const callerOf = (key: string, ring: LiveKeys, now = NOW): string | undefined => {
    try {
      return authenticate(`Bearer ${key}`, ring, now).id;
    } catch (error) {
      assert.ok(error instanceof Unauthenticated);
      return undefined;
    }
  };

  it('makes of a key the caller that it was made for, and remembers it', async () => {
    const made = await keys.create(ROOT, {
      name: 'for Ana',
      tenant: 'ac"me',
      user: 'ana\\ ü\u2028',
      roles: ['service', 'approver'],
      expires_at: '2026-12-24T18:00:00.123Z',
    });
    const ring = await loadKeys(db.database);
    assert.equal(ring.remembered, 0);
    const key = ring.find(sha256(made.key));
    assert.deepEqual(key, {
      caller: {
        id: `key:${made.id}`,
        tenant: 'ac"me',
        user: 'ana\\ ü\u2028',
        person: 'user:ana\\ ü\u2028',
        systemRoles: ['service', 'approver'],
      },
      expiresAt: Date.parse('2026-12-24T18:00:00.123Z'),
    });
    assert.equal(ring.find(sha256(made.key)), key);
    assert.equal(ring.remembered, 1);
    assert.ok(Object.isFrozen(key?.caller) && Object.isFrozen(key?.caller.systemRoles));
  });

  it('refuses a key that it remembers from the millisecond on at which that expires', async () => {
    const made = await make('short', { expires_at: new Date(NOW + 1_000).toISOString() });
    const ring = await loadKeys(db.database);
    const caller = authenticate(`Bearer ${made.key}`, ring, NOW);
    assert.equal(callerOf(made.key, ring, NOW + 999), caller.id);
    authenticateAgain(caller, ring, NOW + 999);
    for (const late of [1_000, 1_001, 1e12]) {
      assert.equal(callerOf(made.key, ring, NOW + late), undefined);
      assert.throws(() => authenticateAgain(caller, ring, NOW + late), Unauthenticated);
    }
  });

  it('takes the ends of time for what they are', async () => {
    const [ever, never] = [await make('ever'), await make('never')];
    for (const [{ id }, end] of [
      [ever, 'infinity'],
      [never, '-infinity'],
    ] as const) {
      await sql`UPDATE api_keys SET expires_at = ${end} WHERE id = ${id}`.execute(db.database);
    }
    const ring = await loadKeys(db.database);
    assert.equal(ring.find(sha256(ever.key))?.expiresAt, Number.POSITIVE_INFINITY);
    assert.deepEqual(
      [callerOf(ever.key, ring), callerOf(never.key, ring)],
      [`key:${ever.id}`, undefined],
    );
  });

  it('takes a new key, and forgets one that is revoked, without reading the others', async () => {
    const kept = await make('kept');
    const ended = await make('ended');
    const ring = await loadKeys(db.database);
    const caller = authenticate(`Bearer ${ended.key}`, ring, NOW);
    assert.equal(callerOf(kept.key, ring), `key:${kept.id}`);

    // Nothing told of this: who reads the others sees it.
    await sql`DELETE FROM api_keys WHERE id = ${kept.id}`.execute(db.database);
    const { revision } = await keys.revoke(ROOT, ended.id);
    const late = await make('late');
    assert.equal(await followKeys(db.database, ring), ring);

    assert.equal(ring.place.revision, late.revision);
    assert.equal(late.revision, revision + 1);
    assert.equal(callerOf(ended.key, ring), undefined);
    assert.throws(() => authenticateAgain(caller, ring, NOW), Unauthenticated);
    assert.equal(callerOf(late.key, ring), `key:${late.id}`);
    assert.equal(callerOf(kept.key, ring), `key:${kept.id}`);
    assert.equal(ring.size, 2);
  });

  it('forgets a key that was told of and is not there', async () => {
    const made = await make('gone');
    const ring = await followKeys(db.database, new LiveKeys());
    assert.equal(callerOf(made.key, ring), `key:${made.id}`);
    await keys.revoke(ROOT, made.id);
    await sql`DELETE FROM api_keys`.execute(db.database);
    await followKeys(db.database, ring);
    assert.equal(callerOf(made.key, ring), undefined);
    assert.equal(ring.size, 0);
  });

  it('forgets the former root key', async () => {
    await installRootKey(db.database, 'the first root key of this test');
    const ring = await followKeys(db.database, new LiveKeys());
    assert.equal(callerOf('the first root key of this test', ring), 'root');
    await installRootKey(db.database, 'the second root key of this test');
    await followKeys(db.database, ring);
    assert.equal(callerOf('the first root key of this test', ring), undefined);
    assert.equal(callerOf('the second root key of this test', ring), 'root');
    assert.equal(ring.size, 1);
  });

  it('takes a request that began with the former root key for nobody', async () => {
    await installRootKey(db.database, 'the first root key of this test');
    const ring = await loadKeys(db.database);
    const caller = authenticate('Bearer the first root key of this test', ring, NOW);
    authenticateAgain(caller, ring, NOW);
    await installRootKey(db.database, 'the second root key of this test');
    await followKeys(db.database, ring);
    assert.throws(() => authenticateAgain(caller, ring, NOW), Unauthenticated);
    assert.throws(() => authenticateAgain(caller, new LiveKeys(), NOW), Unauthenticated);
  });

  it('still knows who began a request before all keys were read anew', async () => {
    const made = await make('kept');
    const caller = authenticate(`Bearer ${made.key}`, await loadKeys(db.database), NOW);
    authenticateAgain(caller, await loadKeys(db.database), NOW);
  });

  it('finds a secret that went from one key to another, in whatever order they are told', async () => {
    for (const [from, to] of [
      ['key_a', 'key_b'],
      ['key_b', 'key_a'],
    ] as const) {
      const made = await make('moved');
      await sql`UPDATE api_keys SET id = ${from}`.execute(db.database);
      const ring = await loadKeys(db.database);
      assert.equal(callerOf(made.key, ring), `key:${from}`);
      await sql`UPDATE api_keys SET id = ${to}`.execute(db.database);
      for (const key of [to, from]) {
        await commitChange(db.database, async () => {
          return {
            change: { kind: 'key.created', actor: 'root', detail: { key } },
            result: undefined,
          };
        });
      }
      assert.equal(await followKeys(db.database, ring), ring);
      assert.equal(callerOf(made.key, ring), `key:${to}`);
      await sql`DELETE FROM api_keys`.execute(db.database);
    }
  });

  it('reads all anew where the database was set back and has gone on since', async () => {
    const kept = await make('kept');
    const lost = await make('lost');
    const ring = await loadKeys(db.database);
    assert.equal(callerOf(lost.key, ring), `key:${lost.id}`);
    await sql`DELETE FROM change_log WHERE revision >= ${lost.revision}`.execute(db.database);
    await sql`DELETE FROM api_keys WHERE id = ${lost.id}`.execute(db.database);
    const { revision } = await keys.revoke(ROOT, kept.id);
    assert.equal(revision, lost.revision);
    const anew = await followKeys(db.database, ring);
    assert.notEqual(anew, ring);
    assert.equal(callerOf(kept.key, anew), undefined);
    assert.equal(callerOf(lost.key, anew), undefined);
  });

  it('misses no change that is made while all are read', async () => {
    const made = await make('revoked meanwhile');
    let isAsked = false;
    const database = db.database.withPlugin({
      transformQuery: ({ node }) => node,
      transformResult: async ({ result }) => {
        // Once the rows of the keys are on their way.
        const [row] = result.rows;
        if (!isAsked && row !== undefined && 'line' in row) {
          isAsked = true;
          await keys.revoke(ROOT, made.id);
          // The newest is no change of a key.
          await commitChange(db.database, async () => {
            return { change: { kind: 'rules.changed', actor: 'root' }, result: undefined };
          });
        }
        return result;
      },
    });
    const ring = await loadKeys(database);
    assert.ok(isAsked);
    await followKeys(db.database, ring);
    assert.equal(callerOf(made.key, ring), undefined);
  });

  it('fails as one whose connection is lost while all are read, and as nobody else', async () => {
    await makeMany(5_000);
    const unhandled: unknown[] = [];
    const note = (error: unknown) => unhandled.push(error);
    process.on('unhandledRejection', note);
    const own = connectDatabase(db.url, { onError: () => {} });
    let isCut = false;
    const database = own.database.withPlugin({
      transformQuery: ({ node }) => node,
      transformResult: async ({ result }) => {
        const [row] = result.rows;
        if (!isCut && row !== undefined && 'line' in row) {
          isCut = true;
          await db.pool.query(
            `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND query LIKE 'FETCH%'`,
          );
        }
        return result;
      },
    });
    await assert.rejects(loadKeys(database));
    assert.ok(isCut);
    for (let turn = 0; turn < 10; turn += 1) await nextTurn();
    process.off('unhandledRejection', note);
    await own.close();
    assert.deepEqual(unhandled, []);
  });

  it('remembers no more than it may, and nothing of what it does not know', async () => {
    await makeMany(MOST + 500);
    const ring = await loadKeys(db.database);
    assert.equal(ring.size, MOST + 500);
    for (let index = 1; index <= MOST + 500; index += 1) {
      assert.equal(callerOf(`key ${index}`, ring), `key:key_${index}`);
      assert.equal(callerOf(`no key ${index}`, ring), undefined);
    }
    assert.equal(ring.remembered, MOST);
    assert.equal(callerOf('key 1', ring), 'key:key_1');
    assert.equal(ring.remembered, MOST);
  });

  it('reads all anew where very many changed', async () => {
    await makeMany(1_000);
    const few = new LiveKeys();
    assert.equal(await followKeys(db.database, few), few);
    assert.equal(few.size, 1_000);
    const last = await make('the one after them');
    const many = new LiveKeys();
    const anew = await followKeys(db.database, many);
    assert.notEqual(anew, many);
    assert.equal(anew.size, 1_001);
    assert.equal(anew.place.revision, last.revision);
    assert.equal(callerOf('key 1000', anew), 'key:key_1000');
    assert.equal(callerOf(last.key, anew), `key:${last.id}`);
  });

  it('reads all anew where the log does not tell which key changed', async () => {
    const made = await make('ended by hand');
    const ring = await loadKeys(db.database);
    await sql`DELETE FROM api_keys`.execute(db.database);
    await commitChange(db.database, async () => {
      return { change: { kind: 'key.revoked', actor: 'somebody' }, result: undefined };
    });
    const anew = await followKeys(db.database, ring);
    assert.equal(callerOf(made.key, anew), undefined);
    assert.equal(anew.size, 0);
  });

  it('holds after any changes what is read anew', async () => {
    type Step = 'make' | 'revoke' | 'root' | 'follow' | 'call';
    const step = fc.tuple(
      fc.constantFrom<Step>('make', 'make', 'revoke', 'root', 'follow', 'call'),
      fc.nat(20),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 15 }), async (steps) => {
        const made: { id: string; key: string }[] = [];
        const roots: string[] = [];
        let ring = await loadKeys(db.database);
        for (const [what, which] of steps) {
          const one = made[which % Math.max(made.length, 1)];
          if (what === 'make') made.push(await make(`key ${which}`));
          else if (what === 'revoke' && one !== undefined) await keys.revoke(ROOT, one.id);
          else if (what === 'call' && one !== undefined) callerOf(one.key, ring);
          else if (what === 'follow') ring = await followKeys(db.database, ring);
          else if (what === 'root') {
            roots.push(`a root key of this test, the ${roots.length}th`);
            await installRootKey(db.database, roots.at(-1) ?? '');
          }
        }
        ring = await followKeys(db.database, ring);
        const anew = await loadKeys(db.database);
        for (const key of [...roots, ...made.map((each) => each.key)]) {
          assert.deepEqual(ring.find(sha256(key)), anew.find(sha256(key)));
        }
        assert.equal(ring.size, anew.size);
        assert.deepEqual(ring.place, await newestPlace(db.database));
      }),
      { numRuns: 15 },
    );
  });
});
