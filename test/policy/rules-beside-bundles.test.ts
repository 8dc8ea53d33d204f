import assert from 'node:assert/strict';
import type pg from 'pg';
import { Unavailable } from '../../src/errors.js';
import type { RuleLine } from '../../src/vocabulary.js';
import { digestOf } from '../../src/policy/rule-table.js';
import { until } from '../support/until.js';
import {
  bundleOf,
  faultsOf,
  type PolicyFixture,
  policyFixture,
  PRIORITY_MODEL,
} from './support.js';

const actor = 'root';
const ALICE: RuleLine = ['g', 'alice', 'editor', 'acme'];
const BOB: RuleLine = ['g', 'bob', 'editor', 'acme'];
const CAROL: RuleLine = ['g', 'carol', 'editor', 'acme'];
const DAVE: RuleLine = ['g', 'dave', 'editor', 'acme'];
/** Written after all others: a bundle that waits for it has written those. */
const LAST: RuleLine = ['g', 'zoe', 'editor', 'acme'];

/** The connections that wait for another one's row: no lock that `pg_locks` puts in a database. */
const WAITING = `
  SELECT pid FROM pg_stat_activity
  WHERE datname = current_database() AND wait_event_type = 'Lock'`;

const bundle = (...lines: RuleLine[]) => bundleOf(lines.map((line) => line.join(', ')).join('\n'));

describe('changes of rules while a bundle is being written', () => {
  let fixture: PolicyFixture;
  before(async () => void (fixture = await policyFixture()));
  beforeEach(() => fixture.reset());
  after(() => fixture.close());

  const add = (...lines: RuleLine[]) =>
    fixture.service.changeRules({ add: lines, remove: [], actor });
  const remove = (...lines: RuleLine[]) =>
    fixture.service.changeRules({ add: [], remove: lines, actor });

  /** Each line in force with who holds it, in the engine's order. */
  const held = async (): Promise<string[]> => {
    const { items } = await fixture.service.listRules({ limit: 100 });
    return items.map(({ rule, source }) => `${rule.join(' ')}: ${Object.keys(source).join(', ')}`);
  };

  /** An admin's change of a line that is not committed yet: who writes the same line waits for it. */
  const inFlight = async (statement: string, line: RuleLine): Promise<pg.PoolClient> => {
    const client = await fixture.db.pool.connect();
    await client.query("BEGIN; SELECT set_config('countersign.revision', 'test', true)");
    await client.query(statement, [line[0], Buffer.from(digestOf(line), 'hex')]);
    return client;
  };
  const adding = (line: RuleLine): Promise<pg.PoolClient> =>
    inFlight(
      `INSERT INTO casbin (ptype, digest, rule, tenant, admin_rank, admin_by, admin_at)
       VALUES ($1, $2, '${JSON.stringify(line.slice(1))}', 'acme', 1000, 'test', now())`,
      line,
    );
  const removing = (line: RuleLine): Promise<pg.PoolClient> =>
    inFlight('DELETE FROM casbin WHERE ptype = $1 AND digest = $2', line);
  const end = async (client: pg.PoolClient, how: 'COMMIT' | 'ROLLBACK'): Promise<void> => {
    await client.query(how);
    client.release();
  };

  const someoneWaits = () =>
    until(
      () => fixture.db.pool.query(WAITING),
      ({ rows }) => rows.length > 0,
    );

  it('do not wait for it, and count before it', async () => {
    await fixture.service.apply({ files: bundle(ALICE), actor });
    const blocker = await adding(LAST);
    const applying = fixture.service.apply({ files: bundle(BOB, LAST), actor });
    await someoneWaits();
    assert.equal((await add(CAROL)).revision, 2);
    assert.equal((await add(DAVE)).revision, 3);
    assert.equal((await remove(CAROL)).revision, 4);
    await end(blocker, 'ROLLBACK');
    const { revision, changes } = await applying;
    assert.equal(revision, 5);
    assert.deepEqual(changes, { added: 2, removed: 1 });
    assert.deepEqual(await held(), [
      'g bob editor acme: bundle',
      'g zoe editor acme: bundle',
      'g dave editor acme: admin',
    ]);
  });

  it('are refused where they name a line that it writes, and hold nobody up', async () => {
    await fixture.service.apply({ files: bundle(ALICE), actor });
    const blocker = await adding(LAST);
    const applying = fixture.service.apply({ files: bundle(BOB, LAST), actor });
    await someoneWaits();
    const refusals = await Promise.allSettled([add(BOB), add(ALICE)]);
    for (const refusal of refusals) {
      assert.equal(refusal.status, 'rejected');
      assert.ok(refusal.reason instanceof Unavailable, String(refusal.reason));
      assert.match(
        refusal.reason.message,
        /^a bundle that is being applied .* nothing was changed/,
      );
    }
    await end(blocker, 'ROLLBACK');
    assert.equal((await applying).revision, 2);
    assert.equal((await add(BOB, ALICE)).added, 2);
    assert.deepEqual(await held(), [
      'g bob editor acme: bundle, admin',
      'g zoe editor acme: bundle',
      'g alice editor acme: admin',
    ]);
  });

  it('are kept where an admin adds, just then, a line that it brings', async () => {
    await fixture.service.apply({ files: bundle(ALICE), actor });
    const other = await adding(BOB);
    const applying = fixture.service.apply({ files: bundle(ALICE, BOB), actor });
    await someoneWaits();
    await end(other, 'COMMIT');
    assert.deepEqual((await applying).changes, { added: 1, removed: 0 });
    assert.deepEqual(await held(), [
      'g alice editor acme: bundle',
      'g bob editor acme: bundle, admin',
    ]);
  });

  it('leave it the line where an admin removes, just then, one that it brings', async () => {
    await fixture.service.apply({ files: bundle(ALICE), actor });
    await add(BOB);
    const other = await removing(BOB);
    const applying = fixture.service.apply({ files: bundle(ALICE, BOB), actor });
    await someoneWaits();
    await end(other, 'COMMIT');
    await applying;
    assert.deepEqual(await held(), ['g alice editor acme: bundle', 'g bob editor acme: bundle']);
  });

  it('are judged by it too: one that its model cannot hold is a fault of the bundle', async () => {
    const rules = 'p, editor, acme, document:*, write, allow\n';
    const model = PRIORITY_MODEL.replace('g = _, _, _', 'g = _, _, _\ng2 = _, _');
    await fixture.service.apply({
      files: bundleOf(rules, { 'models/test.conf': model }),
      actor,
    });
    const blocker = await adding(LAST);
    const applying = faultsOf(
      fixture.service.apply({ files: bundleOf(`${rules}${LAST.join(', ')}`), actor }),
    );
    await someoneWaits();
    await add(['g2', 'document:1', 'board']);
    await end(blocker, 'ROLLBACK');
    const [fault] = await applying;
    assert.match(String(fault), /^models\/test\.conf:1:1: the rule `g2, document:1, board`/);
    assert.equal(fixture.current.snapshot.bundle?.number, 1);
  });

  it('leave nothing of a bundle that was not committed', async () => {
    await fixture.service.apply({ files: bundle(ALICE), actor });
    const blocker = await adding(LAST);
    const applying = fixture.service.apply({ files: bundle(BOB, LAST), actor });
    await someoneWaits();
    const { rows } = await fixture.db.pool.query<{ pid: number }>(WAITING);
    for (const { pid } of rows) {
      await fixture.db.pool.query('SELECT pg_terminate_backend($1)', [pid]);
    }
    await assert.rejects(applying);
    await end(blocker, 'ROLLBACK');
    assert.deepEqual(await held(), ['g alice editor acme: bundle']);
    assert.equal((await add(BOB)).revision, 2);
    assert.equal((await fixture.service.apply({ files: bundle(BOB), actor })).bundle, 2);
  });
});
