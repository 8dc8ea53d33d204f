import assert from 'node:assert/strict';
import { findEvents } from '../../src/audit/audit-query.js';
import { BundleMoved, NotFound } from '../../src/errors.js';
import { installRootKey } from '../../src/identity/install-root-key.js';
import { latestRevision } from '../../src/platform/change-log.js';
import {
  ask,
  bundleOf,
  faultsOf,
  type PolicyFixture,
  policyFixture,
  PRIORITY_MODEL,
  TENANT_MODEL,
  WAITING_LOCKS,
} from './support.js';

const EDITOR = 'p, editor, acme, document:*, write, allow\ng, alice, editor, acme\n';
const READER = 'p, reader, acme, document:*, read, allow\ng, alice, reader, acme\n';
const actor = 'root';

describe('applying bundles', () => {
  let fixture: PolicyFixture;
  before(async () => void (fixture = await policyFixture()));
  beforeEach(() => fixture.reset());
  after(() => fixture.close());

  const allows = (action: string, subject = 'alice') =>
    fixture.current.snapshot.engine.decide(ask('acme', subject, action, 'document:1')).effect;

  it('denies everything before the first', () => {
    assert.equal(allows('write'), 'deny');
    assert.equal(fixture.current.snapshot.bundle, undefined);
  });

  it('puts the rules into force and says what changed', async () => {
    const first = await fixture.service.apply({ files: bundleOf(EDITOR), actor, commit: 'abc' });
    assert.deepEqual(first, {
      bundle: 1,
      revision: 1,
      changes: { added: 2, removed: 0 },
      changed: true,
      warnings: [],
    });
    assert.equal(allows('write'), 'allow');
    assert.deepEqual(fixture.current.snapshot.bundle, { number: 1, name: 'test', commit: 'abc' });

    const more = `${EDITOR}p, editor, acme, document:*, read, allow\n`.replace('alice', 'bob');
    const second = await fixture.service.apply({ files: bundleOf(more), actor });
    assert.deepEqual(second.changes, { added: 2, removed: 1 });
    assert.equal(second.bundle, 2);
    assert.equal(allows('write'), 'deny');
    assert.equal(allows('read', 'bob'), 'allow');
  });

  it('changes nothing when the same bundle comes again, whatever order its files have', async () => {
    const files = bundleOf({ 'rules/a.csv': EDITOR, 'rules/b.csv': READER });
    await fixture.service.apply({ files, actor });
    const again = new Map([...files].reverse());
    const result = await fixture.service.apply({ files: again, actor, expectBundle: 1 });
    assert.deepEqual(
      { ...result, warnings: [] },
      {
        bundle: 1,
        revision: 1,
        changes: { added: 0, removed: 0 },
        changed: false,
        warnings: [],
      },
    );
    assert.equal(await latestRevision(fixture.db.database), 1);
  });

  it('refuses whoever expects another bundle, even with the bundle that is active', async () => {
    const files = bundleOf(EDITOR);
    await fixture.service.apply({ files, actor });
    await assert.rejects(fixture.service.apply({ files, actor, expectBundle: 7 }), BundleMoved);
  });

  it('applies one of two equal bundles that come at once', async () => {
    const files = bundleOf(EDITOR);
    const results = await Promise.all([1, 2, 3].map(() => fixture.service.apply({ files, actor })));
    assert.deepEqual(
      results.map(({ bundle, revision }) => [bundle, revision]),
      [
        [1, 1],
        [1, 1],
        [1, 1],
      ],
    );
    assert.equal(results.filter(({ changed }) => changed).length, 1);
  });

  it('lets one of two win that expect the same bundle to be active', async () => {
    await fixture.service.apply({ files: bundleOf(EDITOR), actor });
    const results = await Promise.allSettled(
      ['bob', 'carol'].map((name) =>
        fixture.service.apply({
          files: bundleOf(EDITOR.replace('alice', name)),
          actor,
          expectBundle: 1,
        }),
      ),
    );
    const refused = results.filter((result) => result.status === 'rejected');
    assert.equal(refused.length, 1);
    assert.ok(refused[0]?.reason instanceof BundleMoved);
    const [winner] = results.flatMap((r) => (r.status === 'fulfilled' ? [r.value.bundle] : []));
    assert.equal(winner, 2);
  });

  it('refuses where another bundle than the expected one is active', async () => {
    await fixture.service.apply({ files: bundleOf(EDITOR), actor, expectBundle: 0 });
    await assert.rejects(
      fixture.service.apply({ files: bundleOf(READER), actor, expectBundle: 0 }),
      BundleMoved,
    );
    await fixture.service.apply({ files: bundleOf(READER), actor, expectBundle: 1 });
    assert.equal(allows('read'), 'allow');
  });

  it('refuses a faulty bundle whole; what was active stays', async () => {
    await fixture.service.apply({ files: bundleOf(EDITOR), actor });
    const faulty = bundleOf(`${READER}p, reader, acme\nx, y\n`);
    const faults = await faultsOf(fixture.service.apply({ files: faulty, actor }));
    assert.equal(faults.length, 2);
    assert.match(faults[0] ?? '', /^rules\/a\.csv:3:/);
    assert.match(faults[1] ?? '', /^rules\/a\.csv:4:/);
    assert.equal(await latestRevision(fixture.db.database), 1);
    await fixture.current.catchUp();
    assert.equal(allows('write'), 'allow');
  });

  it('refuses a bundle whose tests fail, before anything is stored', async () => {
    const fault = { file: 'tests/a.yaml', line: 2, column: 5, message: 'expected `allow`' };
    fixture.tests.run = async () => ({ faults: [fault], parts: [] });
    const apply = fixture.service.apply({ files: bundleOf(EDITOR), actor });
    assert.deepEqual(await faultsOf(apply), ['tests/a.yaml:2:5: expected `allow`']);
    assert.equal(await latestRevision(fixture.db.database), 0);
    assert.deepEqual((await fixture.service.history({ limit: 10 })).items, []);
    await faultsOf(fixture.service.validate({ files: bundleOf(EDITOR) }));
  });

  it('validates without storing', async () => {
    const files = bundleOf(EDITOR, { 'README.txt': 'hello' });
    const part = { text: 'true', handling: 'residual' } as const;
    fixture.tests.run = async () => ({ faults: [], parts: [part] });
    const { warnings, parts } = await fixture.service.validate({ files });
    assert.deepEqual(parts, [part]);
    assert.deepEqual(
      warnings.map(({ file }) => file),
      ['README.txt'],
    );
    assert.equal(await latestRevision(fixture.db.database), 0);
  });

  it('takes a change of order alone as a change', async () => {
    const model = { 'models/test.conf': PRIORITY_MODEL };
    const allow = 'p, alice, acme, document:*, read, allow';
    const deny = 'p, alice, acme, document:*, read, deny';
    await fixture.service.apply({ files: bundleOf(`${allow}\n${deny}\n`, model), actor });
    assert.equal(allows('read'), 'allow');
    const turned = await fixture.service.apply({
      files: bundleOf(`${deny}\n${allow}\n`, model),
      actor,
    });
    assert.deepEqual(turned.changes, { added: 0, removed: 0 });
    assert.equal(turned.changed, true);
    assert.equal(turned.revision, 2);
    assert.equal(allows('read'), 'deny');
  });

  it('ranks files by the bytes of their paths, then by line, and the admin’s rules last', async () => {
    const model = { 'models/test.conf': PRIORITY_MODEL };
    const files = bundleOf(
      {
        'rules/b.csv': 'p, alice, acme, document:*, read, deny\n',
        'rules/B.csv': 'p, alice, acme, document:*, read, allow\n',
      },
      model,
    );
    await fixture.service.apply({ files, actor });
    assert.equal(allows('read'), 'allow');
    const add = [['p', 'alice', 'acme', 'document:1', 'read', 'deny'] as const];
    await fixture.service.changeRules({ add, remove: [], actor });
    assert.equal(allows('read'), 'allow');
    const { items } = await fixture.service.listRules({ limit: 50 });
    assert.deepEqual(
      items.map(({ rule, source }) => [rule.at(-1), source.bundle?.file]),
      [
        ['allow', 'rules/B.csv'],
        ['deny', 'rules/b.csv'],
        ['deny', undefined],
      ],
    );
  });

  it('keeps every bundle with its files, author and commit', async () => {
    const files = bundleOf(EDITOR, { 'notes.txt': 'passed over' });
    await fixture.service.apply({ files, actor: 'key:ada', commit: 'abc123' });
    await fixture.service.apply({ files: bundleOf(READER), actor });
    const stored = await fixture.service.get(1);
    assert.deepEqual(Object.fromEntries(stored.files), Object.fromEntries(bundleOf(EDITOR)));
    assert.deepEqual(
      [stored.author, stored.commit, stored.active, stored.revision],
      ['key:ada', 'abc123', false, 1],
    );
    await assert.rejects(fixture.service.get(3), NotFound);
    await assert.rejects(fixture.service.get(2 ** 40), NotFound);
    await assert.rejects(fixture.service.get(Number.NaN), NotFound);
  });

  it('lists the history newest first, a page at a time', async () => {
    for (const name of ['a', 'b', 'c']) {
      await fixture.service.apply({ files: bundleOf(EDITOR.replaceAll('alice', name)), actor });
    }
    const page = await fixture.service.history({ limit: 2 });
    assert.deepEqual(
      page.items.map(({ bundle, active }) => [bundle, active]),
      [
        [3, true],
        [2, false],
      ],
    );
    const rest = await fixture.service.history({ limit: 2, after: page.next ?? '' });
    assert.deepEqual(
      rest.items.map(({ bundle }) => bundle),
      [1],
    );
    assert.equal(rest.next, null);
  });

  it('rolls back to a bundle with a new revision, deciding by its model as it was stored', async () => {
    await fixture.service.apply({ files: bundleOf(EDITOR), actor });
    await fixture.service.apply({
      files: bundleOf(READER, { 'models/test.conf': PRIORITY_MODEL }),
      actor,
    });
    const back = await fixture.service.activate({ bundle: 1, actor });
    assert.deepEqual(
      [back.bundle, back.revision, back.changes, back.changed],
      [1, 3, { added: 2, removed: 2 }, true],
    );
    assert.equal(allows('write'), 'allow');
    assert.equal(allows('read'), 'deny');
    const again = await fixture.service.activate({ bundle: 1, actor });
    assert.deepEqual([again.revision, again.changed], [3, false]);
    const { items } = await fixture.service.history({ limit: 5 });
    assert.deepEqual(
      items.map(({ bundle, active, previous }) => [bundle, active, previous]),
      [
        [2, false, undefined],
        [1, true, 2],
      ],
    );
  });

  it('decides by the shipped model that a bundle was applied with, whatever ships later', async () => {
    const { service, shippedModels } = fixture;
    const files = (rules: string) =>
      new Map([
        ['bundle.yaml', 'name: test\nmodel: shipped\n'],
        ['rules/a.csv', rules],
      ]);
    const rules = `p, alice, acme, *, read, allow\np, alice, acme, *, read, deny\n`;
    shippedModels.set('shipped', PRIORITY_MODEL);
    await service.apply({ files: files(rules), actor });
    await service.apply({ files: bundleOf(EDITOR), actor });
    shippedModels.set('shipped', TENANT_MODEL);
    await service.activate({ bundle: 1, actor });
    assert.equal(allows('read'), 'allow');
    const renewed = await service.apply({ files: files(rules), actor });
    assert.deepEqual([renewed.bundle, renewed.changed], [3, true]);
    assert.equal(allows('read'), 'deny');
  });

  it('runs the tests again when a bundle is activated', async () => {
    await fixture.service.apply({ files: bundleOf(EDITOR), actor });
    await fixture.service.apply({ files: bundleOf(READER), actor });
    const fault = { file: 't.yaml', line: 1, column: 1, message: 'no' };
    fixture.tests.run = async () => ({ faults: [fault], parts: [] });
    await faultsOf(fixture.service.activate({ bundle: 1, actor }));
    assert.equal(fixture.current.snapshot.bundle?.number, 2);
  });

  it('lets keys change while the rules of a bundle are being written', async () => {
    const { service, db } = fixture;
    await service.apply({ files: bundleOf(EDITOR), actor });
    const reader = await db.pool.connect();
    await reader.query('BEGIN; LOCK TABLE casbin IN EXCLUSIVE MODE');
    const applying = service.apply({ files: bundleOf(READER), actor });
    for (let waiting = 0; waiting === 0; ) {
      const { rows } = await db.pool.query(WAITING_LOCKS);
      waiting = rows.length;
    }
    await installRootKey(db.database, 'a root key that cannot wait');
    assert.equal(await latestRevision(db.database), 2);
    await reader.query('COMMIT');
    reader.release();
    assert.equal((await applying).revision, 3);
  });

  it('audits each change with its revision, in the same transaction', async () => {
    await fixture.service.apply({ files: bundleOf(EDITOR), actor, commit: 'abc' });
    await fixture.service.apply({ files: bundleOf(READER), actor });
    await fixture.service.activate({ bundle: 1, actor: 'key:ada' });
    const { items } = await findEvents(fixture.db.database, {});
    assert.deepEqual(
      items.map(({ kind, revision, bundle, commit, actor }) => [
        kind,
        revision,
        bundle,
        commit,
        actor,
      ]),
      [
        ['bundle.activated', 3, 1, 'abc', 'key:ada'],
        ['bundle.applied', 2, 2, undefined, 'root'],
        ['bundle.applied', 1, 1, 'abc', 'root'],
      ],
    );
  });
});
