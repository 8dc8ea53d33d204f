import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { sql } from 'kysely';
import { credentialHash } from '../../src/identity/authenticate.js';
import { installRootKey } from '../../src/identity/install-root-key.js';
import { commitChange } from '../../src/platform/change-log.js';
import {
  createCurrentPolicy,
  type CurrentPolicy,
  type CurrentPolicyOptions,
} from '../../src/policy/current-policy.js';
import type { RuleLine } from '../../src/vocabulary.js';
import { connectDatabase } from '../../src/platform/database.js';
import { atOnce, done } from '../../src/platform/turns.js';
import { goDeaf } from '../support/busy.js';
import { postgresProxy } from '../support/tcp-proxy.js';
import { buildInPlaceEngine } from './in-place-engine.js';
import { ask, bundleOf, type PolicyFixture, policyFixture, silentLog } from './support.js';

const RULES = 'p, editor, acme, document:*, write, allow\ng, alice, editor, acme\n';
const BOB: RuleLine = ['g', 'bob', 'editor', 'acme'];
const CAROL: RuleLine = ['g', 'carol', 'editor', 'acme'];
const ALLOW_DENY_ALLOW = ['allow', 'deny', 'allow'];

describe('the policy in force', () => {
  let fixture: PolicyFixture;
  let other: CurrentPolicy;
  let counts: { builds: number; increments: number; failures: number; revision: number };
  let measured: Map<string, number>;
  let now: number;

  before(async () => void (fixture = await policyFixture()));
  beforeEach(async () => {
    await fixture.reset();
    await fixture.service.apply({ files: bundleOf(RULES), actor: 'root' });
    counts = { builds: 0, increments: 0, failures: 0, revision: -1 };
    measured = new Map();
    now = 1_000;
    // A second server on the same database: nobody tells it of changes.
    other = follower({});
  });
  afterEach(() => other.stop());
  after(() => fixture.close());

  const follower = (options: Partial<CurrentPolicyOptions>) =>
    createCurrentPolicy({
      database: fixture.db.database,
      log: silentLog,
      clock: { now: () => now },
      poll: 3_600_000,
      buildEngine: buildInPlaceEngine,
      metrics: {
        revision: { set: (value) => void (counts.revision = value) },
        snapshotBuilds: { inc: () => void (counts.builds += 1) },
        snapshotFailures: { inc: () => void (counts.failures += 1) },
        snapshotBuildSeconds: { observe() {} },
        snapshotIncrements: { inc: () => void (counts.increments += 1) },
        engineRules: { set: (value) => measured.set('rules', value) },
        engineMatcherParts: { set: ({ handling }, value) => measured.set(handling, value) },
      },
      ...options,
    });

  const add = (...rules: RuleLine[]) =>
    fixture.service.changeRules({ add: rules, remove: [], actor: 'root' });
  const mayWrite = (subject: string) =>
    other.snapshot.engine.decide(ask('acme', subject, 'write', 'document:1')).effect;
  const touchKeys = (kind: string) =>
    commitChange(fixture.db.database, async () => ({
      change: { kind, actor: 'root' },
      result: undefined,
    }));

  it('denies everything and knows no key until it has read', () => {
    assert.equal(mayWrite('alice'), 'deny');
    assert.equal(other.snapshot.revision, 0);
    assert.equal(other.snapshot.keys.find(''), undefined);
    assert.equal(other.confirmedAt, 0);
  });

  it('reads all parts of one revision, and says when Postgres last confirmed it', async () => {
    await other.start();
    assert.equal(mayWrite('alice'), 'allow');
    assert.deepEqual(other.snapshot.bundle, { number: 1, name: 'test', commit: undefined });
    assert.deepEqual([other.snapshot.revision, other.confirmedAt], [1, 1_000]);
    assert.deepEqual(counts, { builds: 1, increments: 0, failures: 0, revision: 1 });
  });

  it('measures what its engine holds, and how it finds it', async () => {
    await other.start();
    assert.deepEqual(
      [...measured],
      [
        ['rules', 2],
        ['indexed', 0],
        ['residual', 0],
        ['fallback', 1],
      ],
    );
    await add(BOB);
    await other.catchUp();
    assert.equal(measured.get('rules'), 3);
  });

  it('keeps the very snapshot where nothing is new, and confirms it', async () => {
    await other.start();
    const before = other.snapshot;
    now = 2_000;
    assert.equal(await other.catchUp(), before);
    assert.equal(other.confirmedAt, 2_000);
    assert.equal(counts.builds, 1);
  });

  it('takes a large change in many turns, and shows it whole in one, with its revision', async () => {
    const { current } = fixture;
    const before = current.snapshot.revision;
    const lines = Array.from({ length: 10_000 }, (_, at): RuleLine => {
      if (at % 2 === 0) return ['g', `user-${at}`, 'editor', 'acme'];
      return ['p', `user-${at}`, 'acme', `document:${at}/*`, 'write', 'allow'];
    });
    /** What each turn of the event loop saw: the revision, and whether lines of each kind count. */
    const seen: unknown[] = [];
    const look = (): void => {
      const { engine, revision } = current.snapshot;
      const may = (at: number) =>
        engine.decide(ask('acme', `user-${at}`, 'write', `document:${at}/x`)).effect === 'allow';
      seen.push([revision, may(0), may(1), may(9_998), may(9_999), engine.size].join(' '));
    };
    const watch = async (change: Promise<unknown>): Promise<void> => {
      let isOver = false;
      void change.finally(() => (isOver = true));
      while (!isOver) {
        await nextTurn();
        look();
      }
    };
    await watch(fixture.service.changeRules({ add: lines, remove: [], actor: 'root' }));
    await watch(fixture.service.changeRules({ add: [], remove: lines, actor: 'root' }));
    const without = 'false false false false 2';
    assert.deepEqual(
      [...new Set(seen)],
      [
        `${before} ${without}`,
        `${before + 1} true true true true 10002`,
        `${before + 2} ${without}`,
      ],
    );
  });

  it('swaps snapshots whole where a bundle comes: who holds one sees it unchanged', async () => {
    await other.start();
    const held = other.snapshot;
    await fixture.service.apply({ files: bundleOf(RULES.replace('alice', 'bob')), actor: 'root' });
    await other.catchUp();
    assert.deepEqual([mayWrite('alice'), mayWrite('bob')], ['deny', 'allow']);
    const asked = ask('acme', 'bob', 'write', 'document:1');
    assert.equal(held.engine.decide(asked).effect, 'deny');
    assert.equal(held.revision, 1);
  });

  it('takes a small change into its engine, with the revision, and reads no rules again', async () => {
    await other.start();
    const { engine, governance } = other.snapshot;
    await add(BOB);
    await touchKeys('key.created');
    await fixture.service.changeRules({ add: [CAROL], remove: [BOB], actor: 'root' });
    await other.catchUp();
    assert.deepEqual([mayWrite('alice'), mayWrite('bob'), mayWrite('carol')], ALLOW_DENY_ALLOW);
    assert.equal(other.snapshot.revision, 4);
    assert.equal(other.snapshot.engine, engine);
    assert.equal(other.snapshot.governance, governance);
    assert.deepEqual(counts, { builds: 1, increments: 2, failures: 0, revision: 4 });
  });

  it('reads all rules again where the engine cannot take a change', async () => {
    const stubborn: NonNullable<CurrentPolicyOptions['buildEngine']> = (model) => {
      const { add: addRule, building } = buildInPlaceEngine(model);
      const refusing = { preparing: () => done(undefined) };
      return { add: addRule, building: () => done({ ...atOnce(building()), ...refusing }) };
    };
    other = follower({ buildEngine: stubborn });
    await other.start();
    await add(BOB);
    await other.catchUp();
    assert.equal(mayWrite('bob'), 'allow');
    assert.deepEqual(counts, { builds: 2, increments: 0, failures: 0, revision: 2 });
  });

  it('reads all rules again where the lines of a change are no longer kept', async () => {
    await other.start();
    await add(BOB);
    await sql`TRUNCATE changed_rules`.execute(fixture.db.database);
    await other.catchUp();
    assert.equal(mayWrite('bob'), 'allow');
    assert.deepEqual(counts, { builds: 2, increments: 0, failures: 0, revision: 2 });
  });

  it('reads all rules again after more lines than a turn can take', async () => {
    await other.start();
    for (const part of ['a', 'b', 'c']) {
      await add(
        ...Array.from({ length: 7_000 }, (_, n): RuleLine => ['g', `${part}${n}`, 'x', 'acme']),
      );
    }
    await other.catchUp();
    assert.equal(other.snapshot.engine.size, 21_002);
    assert.deepEqual(counts, { builds: 2, increments: 0, failures: 0, revision: 4 });
  });

  it('tells of each new snapshot once it is in force, and of nothing else', async () => {
    const told: (readonly [number, boolean])[] = [];
    const telling = createCurrentPolicy({
      database: fixture.db.database,
      log: silentLog,
      poll: 3_600_000,
      onSwap: (snapshot) => told.push([snapshot.revision, snapshot === telling.snapshot]),
    });
    await telling.start();
    await telling.catchUp();
    await add(BOB);
    await telling.catchUp();
    await telling.stop();
    assert.deepEqual(told, [
      [1, true],
      [2, true],
    ]);
  });

  it('gives calls made during a pull a later one, and one to all of them', async () => {
    await other.start();
    const running = other.catchUp();
    const adding = add(BOB);
    await adding;
    const waiting = [other.catchUp(), other.catchUp(), other.catchUp()];
    await running;
    const snapshots = await Promise.all(waiting);
    assert.deepEqual(
      snapshots.map(({ revision }) => revision),
      [2, 2, 2],
    );
    assert.deepEqual([counts.builds, counts.increments], [1, 1]);
  });

  it('shares one further look among calls that come while one runs', async () => {
    let looks = 0;
    other = follower({ clock: { now: () => (looks += 1) } });
    const first = other.catchUp();
    const further = [other.catchUp(), other.catchUp(), other.catchUp()];
    await Promise.all([first, ...further]);
    // The first begins a building, one serves all others, and one takes up what was built.
    assert.equal(looks, 3);
  });

  it('keeps its engine where only keys changed', async () => {
    await other.start();
    const { engine, governance } = other.snapshot;
    await touchKeys('key.created');
    await other.catchUp();
    assert.equal(other.snapshot.revision, 2);
    assert.equal(other.snapshot.engine, engine);
    assert.equal(other.snapshot.governance, governance);
    await touchKeys('key.revoked');
    await add(BOB);
    await other.catchUp();
    assert.equal(mayWrite('bob'), 'allow');
  });

  it('reads everything again where the database was set back to an older state', async () => {
    await add(BOB);
    await other.start();
    await fixture.reset();
    await fixture.service.apply({
      files: bundleOf(RULES.replace('alice', 'carol')),
      actor: 'root',
    });
    await other.catchUp();
    assert.equal(other.snapshot.revision, 1);
    assert.deepEqual([mayWrite('bob'), mayWrite('carol')], ['deny', 'allow']);
  });

  it('reads everything again where the database was set back and has gone on since', async () => {
    const isKnown = (key: string) => other.snapshot.keys.find(credentialHash(key)) !== undefined;
    await add(BOB);
    await installRootKey(fixture.db.database, 'a root key of before');
    await other.start();
    assert.ok(isKnown('a root key of before'));
    await fixture.reset();
    await sql`DELETE FROM api_keys`.execute(fixture.db.database);
    await fixture.service.apply({ files: bundleOf(RULES), actor: 'root' });
    await add(CAROL);
    await touchKeys('key.created');
    await other.catchUp();
    assert.equal(other.snapshot.revision, 3);
    assert.deepEqual([mayWrite('bob'), mayWrite('carol')], ['deny', 'allow']);
    assert.equal(isKnown('a root key of before'), false);
  });

  it('keeps the last good snapshot when reading fails, and recovers', async () => {
    await other.start();
    await fixture.service.apply({ files: bundleOf(`${RULES}g, bob, editor, acme`), actor: 'root' });
    const { database } = fixture.db;
    for (const table of ['casbin', 'change_log']) {
      await sql`ALTER TABLE ${sql.table(table)} RENAME TO away`.execute(database);
      await assert.rejects(other.catchUp());
      assert.deepEqual([other.snapshot.revision, other.confirmedAt], [1, 1_000]);
      assert.deepEqual([mayWrite('alice'), mayWrite('bob')], ['allow', 'deny']);
      await sql`ALTER TABLE away RENAME TO ${sql.table(table)}`.execute(database);
    }
    assert.equal(counts.failures, 2);
    await other.catchUp();
    assert.equal(mayWrite('bob'), 'allow');
  });

  it('tries again by itself after a failure', async () => {
    await fixture.db.pool.query('ALTER TABLE casbin RENAME TO casbin_away');
    await assert.rejects(other.start());
    await fixture.db.pool.query('ALTER TABLE casbin_away RENAME TO casbin');
    // `start` rejected, yet the holder goes on: the wait is for its own first retry.
    while (other.snapshot.revision === 0) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(mayWrite('alice'), 'allow');
  });

  it('gives up a database that went silent, and goes on once it speaks again', async () => {
    const { proxy, url } = await postgresProxy(fixture.db.url);
    const bounded = { max: 2, queryTimeout: 200, connectTimeout: 200 };
    const connection = connectDatabase(url, bounded);
    const follower = createCurrentPolicy({
      database: connection.database,
      log: silentLog,
      poll: 3_600_000,
    });
    try {
      await follower.start();
      await add(BOB);
      proxy.stall();
      await assert.rejects(follower.catchUp());
      assert.equal(follower.snapshot.revision, 1);
      await proxy.mend();
      assert.equal((await follower.catchUp()).revision, 2);
    } finally {
      await follower.stop();
      await connection.close();
      await proxy.cut();
    }
  });

  it('waits for a revision that is on its way', async () => {
    await other.start();
    const waiting = other.waitFor(2, 10_000);
    await add(BOB);
    await other.catchUp();
    assert.equal((await waiting)?.revision, 2);
    assert.equal(await other.waitFor(1, 0), other.snapshot);
  });

  it('reads what was committed already when asked to wait for it', async () => {
    await other.start();
    await add(BOB);
    assert.equal((await other.waitFor(2, 10_000))?.revision, 2);
  });

  it('takes a revision that came while this process was too busy to read it', async () => {
    await other.start();
    await add(BOB);
    const waiting = other.waitFor(2, 200);
    await goDeaf(500);
    assert.equal((await waiting)?.revision, 2);
  });

  it('gives up waiting in time, and when it is stopped', async () => {
    await other.start();
    assert.equal(await other.waitFor(99, 1), undefined);
    const waiting = other.waitFor(99, 60_000);
    await other.stop();
    assert.equal(await waiting, undefined);
  });

  it('looks by itself every so often', async () => {
    const polling = createCurrentPolicy({
      database: fixture.db.database,
      log: silentLog,
      poll: 1,
    });
    await polling.start();
    await add(BOB);
    while (polling.snapshot.revision < 2) await new Promise((resolve) => setImmediate(resolve));
    await polling.stop();
  });

  it('answers rightly for the revision that it claims while bundles come and go', async () => {
    const reader = RULES.replace('write', 'read');
    const decides = ({ engine }: CurrentPolicy['snapshot'], action: string) =>
      engine.decide(ask('acme', 'alice', action, 'document:1')).effect;
    await other.start();
    let done = false;
    let asked = 0;
    const asking = (async () => {
      while (!done) {
        const { snapshot } = other;
        // Odd revisions let alice write, even ones let her read.
        const odd = snapshot.revision % 2 === 1;
        assert.equal(decides(snapshot, 'write'), odd ? 'allow' : 'deny');
        assert.equal(decides(snapshot, 'read'), odd ? 'deny' : 'allow');
        assert.equal(snapshot.bundle?.number, odd ? 1 : 2);
        asked += 1;
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    await fixture.service.apply({ files: bundleOf(reader), actor: 'root' });
    for (let round = 0; round < 15; round += 1) {
      await fixture.service.activate({ bundle: (round % 2) + 1, actor: 'root' });
      other.catchUp().catch(() => undefined);
    }
    const last = await other.catchUp();
    done = true;
    await asking;
    assert.equal(last.revision, 17);
    assert.ok(asked > 50, `${asked} checks`);
    assert.ok(counts.builds > 2, `${counts.builds} builds`);
  });
});
