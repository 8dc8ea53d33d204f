import assert from 'node:assert/strict';
import { sql } from 'kysely';
import { credentialHash } from '../../src/identity/authenticate.js';
import type { KeyService } from '../../src/identity/key-service.js';
import type { MadeKey } from '../../src/identity/key-view.js';
import { commitChange } from '../../src/platform/change-log.js';
import { createCurrentPolicy, type CurrentPolicy } from '../../src/policy/current-policy.js';
import { keyServiceOn, ROOT } from '../support/keys.js';
import {
  bundleOf,
  type PolicyFixture,
  policyFixture,
  silentLog,
  WAITING_LOCKS,
} from './support.js';

const RULES = 'p, editor, acme, document:*, write, allow\ng, alice, editor, acme\n';
describe('following keys', () => {
  let fixture: PolicyFixture;
  let keys: KeyService;
  let follower: CurrentPolicy;
  /** Told of the rows of each query of the follower, before it sees them. */
  let onRows: ((rows: readonly unknown[]) => Promise<void>) | undefined;
  let letGo: (() => Promise<void>) | undefined;

  before(async () => void (fixture = await policyFixture()));
  beforeEach(async () => {
    await fixture.reset();
    const { database } = fixture.db;
    await sql`DELETE FROM api_keys`.execute(database);
    await fixture.service.apply({ files: bundleOf(RULES), actor: 'root' });
    keys = keyServiceOn(database);
    onRows = undefined;
    const watched = database.withPlugin({
      transformQuery: ({ node }) => node,
      transformResult: async ({ result }) => {
        await onRows?.(result.rows);
        return result;
      },
    });
    follower = createCurrentPolicy({ database: watched, log: silentLog, poll: 3_600_000 });
  });
  afterEach(async () => {
    await letGo?.();
    await follower.stop();
  });
  after(() => fixture.close());

  const make = (): Promise<MadeKey> => keys.create(ROOT, { name: 'x', tenant: 'acme', roles: [] });
  const isKnown = ({ key }: MadeKey): boolean =>
    follower.snapshot.keys.find(credentialHash(key)) !== undefined;

  /** As a restore leaves it: nothing after a revision ever was. */
  async function setBackTo(revision: number, ...made: MadeKey[]): Promise<void> {
    const { database } = fixture.db;
    await sql`DELETE FROM change_log WHERE revision > ${revision}`.execute(database);
    for (const { id } of made) await sql`DELETE FROM api_keys WHERE id = ${id}`.execute(database);
  }

  /** Has whoever reads rules wait, until what it gives is called. */
  async function holdRules(): Promise<() => Promise<void>> {
    const blocker = await fixture.db.pool.connect();
    await blocker.query('BEGIN; LOCK TABLE bundle_files IN ACCESS EXCLUSIVE MODE');
    letGo = async () => {
      letGo = undefined;
      await blocker.query('COMMIT');
      blocker.release();
    };
    return letGo;
  }

  /** A building that waits, until `end` is called. */
  async function holdBuilding() {
    const { db, service } = fixture;
    await service.apply({ files: bundleOf(`${RULES}g, bob, editor, acme`), actor: 'root' });
    const end = await holdRules();
    const caughtUp = follower.catchUp();
    caughtUp.catch(() => undefined);
    for (;;) {
      const { rows } = await db.pool.query(WAITING_LOCKS);
      if (rows.length > 0) break;
    }
    return { caughtUp, end };
  }

  const changeOther = (): Promise<unknown> =>
    commitChange(fixture.db.database, async () => {
      return { change: { kind: 'rules.changed', actor: 'x' }, result: undefined };
    });

  it('forgets a key that it alone saw made before the log was set back', async () => {
    const victim = await make();
    await follower.start();
    await make();
    let ghost: MadeKey | undefined;
    // After the look at the log, before that at the keys.
    onRows = async ([row]) => {
      if (typeof row !== 'object' || row === null || !('kind' in row)) return;
      onRows = undefined;
      ghost = await make();
    };
    await follower.catchUp();
    assert.ok(ghost !== undefined && isKnown(ghost) && isKnown(victim));

    // The replica that takes over never heard of it.
    await setBackTo(ghost.revision - 1, ghost);
    await changeOther();
    await follower.catchUp();
    assert.deepEqual([isKnown(victim), isKnown(ghost)], [true, false]);
  });

  it('revokes what a log revokes under the number of a change that is gone from it', async () => {
    const victim = await make();
    await follower.start();
    const ghost = await make();
    await follower.catchUp();
    await setBackTo(ghost.revision - 1, ghost);
    const { revision } = await keys.revoke(ROOT, victim.id);
    assert.equal(revision, ghost.revision);
    await follower.catchUp();
    assert.deepEqual([isKnown(victim), isKnown(ghost)], [false, false]);
  });

  it('does so where that happens while rules are read', async () => {
    const victim = await make();
    await follower.start();
    const building = await holdBuilding();
    const ghosts = [await make(), await make(), await make()] as const;
    await follower.catchUpKeys();
    assert.ok(ghosts.every(isKnown));
    await setBackTo(ghosts[0].revision - 1, ...ghosts);
    await keys.revoke(ROOT, victim.id);
    await changeOther();
    await follower.catchUpKeys();
    assert.deepEqual([victim, ...ghosts].map(isKnown), [false, false, false, false]);
    await building.end();
    await building.caughtUp.catch(() => undefined);
  });

  it('forgets at once what is not there any more where the log was set back', async () => {
    const early = await make();
    const late = await make();
    await follower.start();
    await setBackTo(early.revision, late);
    await holdRules();
    await follower.catchUpKeys();
    assert.deepEqual([isKnown(early), isKnown(late)], [true, false]);
  });

  it('revokes at once what is revoked behind a thousand other changes', async () => {
    const [first, second] = [await make(), await make()];
    await follower.start();
    for (let change = 0; change < 1_000; change += 1) await changeOther();
    await keys.revoke(ROOT, first.id);
    const end = await holdRules();
    await follower.catchUpKeys();
    assert.deepEqual([isKnown(first), isKnown(second)], [false, true]);
    await keys.revoke(ROOT, second.id);
    await follower.catchUpKeys();
    assert.deepEqual([isKnown(first), isKnown(second)], [false, false]);
    await end();
    await follower.catchUp();
    assert.deepEqual([isKnown(first), isKnown(second)], [false, false]);
  });

  it('misses nothing between the keys that it reads anew and the policy that it builds then', async () => {
    const victim = await make();
    const lost = [await make(), await make(), await make()] as const;
    await follower.start();
    await setBackTo(victim.revision, ...lost);
    onRows = async ([row]) => {
      if (typeof row !== 'object' || row === null || !('line' in row)) return;
      onRows = undefined;
      await keys.revoke(ROOT, victim.id);
      await changeOther();
    };
    await follower.catchUp();
    assert.equal(onRows, undefined);
    assert.equal(isKnown(victim), false);
  });

  it('knows what changed before the policy that was built, and after it', async () => {
    const victim = await make();
    await follower.start();
    const building = await holdBuilding();
    await keys.revoke(ROOT, victim.id);
    const made = await make();
    await building.end();
    await building.caughtUp;
    await follower.catchUp();
    assert.deepEqual([isKnown(victim), isKnown(made)], [false, true]);
  });
});
