/**
 * What goes wrong with the usual adapter between Casbin and Postgres, casbin-pg-adapter 1.4.0, and
 * does not here. (That a killed backend ends no process, test/platform/database.test.ts shows.)
 */
import assert from 'node:assert/strict';
import { sql } from 'kysely';
import { migrateUp } from '../../src/platform/migrate.js';
import { connectDatabase } from '../../src/platform/database.js';
import type { RuleLine } from '../../src/vocabulary.js';
import {
  ask,
  bundleOf,
  faultsOf,
  type PolicyFixture,
  policyFixture,
  PRIORITY_MODEL,
} from './support.js';

const actor = 'root';

describe('rules in Postgres', () => {
  let fixture: PolicyFixture;
  before(async () => void (fixture = await policyFixture()));
  beforeEach(() => fixture.reset());
  after(() => fixture.close());

  const apply = (rules: string, others: Record<string, string> = {}) =>
    fixture.service.apply({ files: bundleOf(rules, others), actor });
  const stored = async (): Promise<RuleLine[]> =>
    (await fixture.service.listRules({ limit: 200 })).items.map(({ rule }) => rule);
  const decide = (subject: string, resource: string) =>
    fixture.current.snapshot.engine.decide(ask('acme', subject, 'read', resource)).effect;

  it('may be migrated by many servers at once, and by one after another', async () => {
    const name = `countersign_test_migrations_${process.pid}`;
    await sql`CREATE DATABASE ${sql.id(name)}`.execute(fixture.db.database);
    const url = new URL(fixture.db.url);
    url.pathname = `/${name}`;
    const servers = Array.from({ length: 5 }, () => connectDatabase(url.href, { max: 2 }));
    try {
      const ran = await Promise.all(servers.map(({ database }) => migrateUp(database)));
      assert.equal(ran.filter((names) => names.length > 0).length, 1);
      for (const { database } of servers) assert.deepEqual(await migrateUp(database), []);
    } finally {
      await Promise.all(servers.map((server) => server.close()));
      await sql`DROP DATABASE ${sql.id(name)} WITH (FORCE)`.execute(fixture.db.database);
    }
  });

  it('are replaced in numbers beyond the parameters of one statement', async () => {
    const many = Array.from(
      { length: 40_000 },
      (_, n) => `p, u${n}, acme, document:1, read, allow`,
    );
    const { changes } = await apply(many.join('\n'));
    assert.equal(changes.added, 40_000);
    assert.equal(decide('u39999', 'document:1'), 'allow');
  });

  it('are never gone in between: a change that fails leaves what was', async () => {
    await apply('p, alice, acme, document:*, read, allow\n');
    const before = await stored();
    await sql`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql
      AS $$ BEGIN RAISE EXCEPTION 'the disk is full'; END $$`.execute(fixture.db.database);
    await sql`CREATE TRIGGER refuse BEFORE INSERT ON active_bundle
      FOR EACH ROW EXECUTE FUNCTION refuse()`.execute(fixture.db.database);
    await sql`CREATE TRIGGER refuse_update BEFORE UPDATE ON active_bundle
      FOR EACH ROW EXECUTE FUNCTION refuse()`.execute(fixture.db.database);
    try {
      await assert.rejects(apply('p, bob, acme, document:*, read, allow\n'), /disk is full/);
    } finally {
      await sql`DROP FUNCTION refuse CASCADE`.execute(fixture.db.database);
    }
    assert.deepEqual(await stored(), before);
    assert.equal(decide('alice', 'document:1'), 'allow');
  });

  it('are removed one by one: nothing in a line is a wildcard or a pattern', async () => {
    await apply('p, role, acme, document:*, read, allow\n');
    const lines: RuleLine[] = [
      ['g', 'alice', 'role', 'acme'],
      ['g', 'bob', 'role', 'acme'],
      ['g', 'regex:.*', 'role', 'acme'],
      ['g', 'like:%', 'role', 'acme'],
      ['g', '', 'role', 'acme'],
    ];
    await fixture.service.changeRules({ add: lines, remove: [], actor });
    for (const line of lines.slice(2)) {
      await fixture.service.changeRules({ add: [], remove: [line], actor });
    }
    assert.deepEqual((await stored()).slice(1), lines.slice(0, 2));
  });

  it('may have the same values under two types', async () => {
    const model = {
      'bundle.yaml': 'name: t\nmodel: two\n',
      'models/two.conf': `[request_definition]
r = sub, dom, obj
[policy_definition]
p = sub, obj, dom
[role_definition]
g = _, _, _
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = g(r.sub, p.sub, r.dom) && r.dom == p.dom && r.obj == p.obj
`,
    };
    await apply('p, a, b, acme\ng, a, b, acme\n', model);
    assert.deepEqual(await stored(), [
      ['p', 'a', 'b', 'acme'],
      ['g', 'a', 'b', 'acme'],
    ]);
  });

  it('are loaded in their order, whatever order the table is in', async () => {
    const deny = 'p, alice, acme, document:1, read, deny\n';
    const allow = 'p, alice, acme, document:*, read, allow\n';
    const priority = { 'models/test.conf': PRIORITY_MODEL };
    await apply(allow + deny, priority);
    assert.equal(decide('alice', 'document:1'), 'allow');
    await apply(deny + allow, priority);
    assert.equal(decide('alice', 'document:1'), 'deny');
    await fixture.db.database.transaction().execute(async (transaction) => {
      await sql`SELECT set_config('countersign.revision', '0', true)`.execute(transaction);
      // Postgres moves a row that is written, and would read it last.
      await sql`UPDATE casbin SET tenant = tenant WHERE rule->>4 = 'deny'`.execute(transaction);
    });
    assert.deepEqual((await stored())[0]?.[5], 'deny');
  });

  it('keep values that a line of CSV would break, and load for everybody all the same', async () => {
    const odd = ['a,b', 'say "no"', 'f(x', ' edge ', '#1', "it's", 'ü🙂'];
    await apply('p, role, acme, document:*, read, allow\n');
    const add = odd.map((name): RuleLine => ['g', name, 'role', 'acme']);
    await fixture.service.changeRules({ add, remove: [], actor });
    for (const name of odd) assert.equal(decide(name, 'document:1'), 'allow', name);
    const faults = await faultsOf(apply('p, "two\nlines", acme, document:*, read, allow\n'));
    assert.match(faults[0] ?? '', /^rules\/a\.csv:1:/);
  });
});
