import assert from 'node:assert/strict';
import fc from 'fast-check';
import { sql } from 'kysely';
import { findEvents } from '../../src/audit/audit-query.js';
import { Conflict, Forbidden, InvalidRequest, OwnedByBundle } from '../../src/errors.js';
import { printRule } from '../../src/policy/rules-file.js';
import type { RuleLine } from '../../src/vocabulary.js';
import {
  ask,
  bundleOf,
  faultsOf,
  type PolicyFixture,
  policyFixture,
  TENANT_MODEL,
} from './support.js';

const actor = 'key:ada';
const RULES = 'p, editor, acme, document:*, write, allow\ng, alice, editor, acme\n';
const BOB: RuleLine = ['g', 'bob', 'editor', 'acme'];
const ALICE: RuleLine = ['g', 'alice', 'editor', 'acme'];

const SHARED_MODEL = `[request_definition]
r = sub, obj, act
[policy_definition]
p = sub, obj, act
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = r.sub == p.sub && r.obj == p.obj && r.act == p.act
`;

describe('changing rules', () => {
  let fixture: PolicyFixture;
  before(async () => void (fixture = await policyFixture()));
  beforeEach(async () => {
    await fixture.reset();
    await fixture.service.apply({ files: bundleOf(RULES), actor: 'root' });
  });
  after(() => fixture.close());

  const change = (
    add: readonly RuleLine[],
    remove: readonly RuleLine[] = [],
    bounds: { tenant?: string; callerTenant?: string } = {},
  ) => fixture.service.changeRules({ add, remove, actor, ...bounds });
  const mayWrite = (subject: string, tenant = 'acme') =>
    fixture.current.snapshot.engine.decide(ask(tenant, subject, 'write', 'document:1')).effect;
  const errorsOf = async (promise: Promise<unknown>) => {
    const error: unknown = await promise.catch((reason: unknown) => reason);
    assert.ok(error instanceof InvalidRequest, String(error));
    return error.members['errors'] as { path: string; message: string }[];
  };

  it('adds and removes, and answers with the revision', async () => {
    assert.deepEqual(await change([BOB]), { revision: 2, added: 1, removed: 0 });
    assert.equal(mayWrite('bob'), 'allow');
    assert.deepEqual(await change([], [BOB]), { revision: 3, added: 0, removed: 1 });
    assert.equal(mayWrite('bob'), 'deny');
  });

  it('spends no revision where nothing changes', async () => {
    await change([BOB]);
    assert.deepEqual(await change([BOB, BOB], [['g', 'nobody', 'editor', 'acme']]), {
      revision: 2,
      added: 0,
      removed: 0,
    });
  });

  it('refuses to remove what the bundle holds, and says where it stands', async () => {
    await assert.rejects(change([BOB], [ALICE]), (error: unknown) => {
      assert.ok(error instanceof OwnedByBundle);
      assert.match(error.message, /rules\/a\.csv:2/);
      return true;
    });
    assert.equal(mayWrite('bob'), 'deny');
  });

  it('keeps a rule in force while either the bundle or an admin holds it', async () => {
    assert.deepEqual(await change([ALICE]), { revision: 2, added: 1, removed: 0 });
    await fixture.service.apply({ files: bundleOf(RULES.replace(/^g.*$/m, '')), actor: 'root' });
    assert.equal(mayWrite('alice'), 'allow');
    await fixture.service.apply({ files: bundleOf(RULES), actor: 'root' });
    await assert.rejects(change([], [ALICE]), OwnedByBundle);
    await fixture.service.apply({ files: bundleOf(RULES.replace(/^g.*$/m, '')), actor: 'root' });
    await change([], [ALICE]);
    assert.equal(mayWrite('alice'), 'deny');
  });

  it('names every line that does not fit, and changes nothing', async () => {
    const errors = await errorsOf(
      change(
        [BOB, ['p', 'editor', 'acme'], ['x', 'y'], ['g', 'a\u0000b', 'editor', 'acme']],
        [['g2', 'a', 'b', 'c']],
      ),
    );
    assert.deepEqual(
      errors.map(({ path }) => path),
      ['/add/1', '/add/2', '/add/3', '/remove/0'],
    );
    assert.equal(mayWrite('bob'), 'deny');
  });

  it('refuses a line that is to be both added and removed', async () => {
    assert.deepEqual(await errorsOf(change([BOB], [BOB])), [
      { path: '/add/0', message: 'stands in `remove` too' },
    ]);
  });

  it('refuses more than 10,000 lines', async () => {
    const lines = Array.from(
      { length: 10_001 },
      (_, n): RuleLine => ['g', `u${n}`, 'editor', 'acme'],
    );
    await errorsOf(change(lines));
    const { added } = await change(lines.slice(1));
    assert.equal(added, 10_000);
    assert.equal(mayWrite('u10000'), 'allow');
  });

  it('lets a caller of one tenant name its own lines alone', async () => {
    const bounds = { callerTenant: 'acme' };
    await change([BOB], [], bounds);
    const foreign: RuleLine[] = [
      ['g', 'bob', 'editor', 'globex'],
      ['g', 'bob', 'editor', '*'],
      ['p', 'bob', 'globex', 'document:*', 'read', 'allow'],
    ];
    for (const line of foreign) {
      await assert.rejects(change([line], [], bounds), Forbidden);
      await assert.rejects(change([], [line], bounds), Forbidden);
    }
    await assert.rejects(change([], [], { ...bounds, tenant: 'globex' }), Forbidden);
  });

  it('holds lines to the tenant that the change names', async () => {
    const errors = await errorsOf(
      change([BOB, ['g', 'gina', 'editor', 'globex']], [], { tenant: 'acme' }),
    );
    assert.deepEqual(
      errors.map(({ path }) => path),
      ['/add/1'],
    );
  });

  it('lets no caller of a tenant touch rules that name none', async () => {
    const shared = bundleOf('', {
      'bundle.yaml': 'name: t\nmodel: test\ntenants: [acme]\n',
      'models/test.conf': SHARED_MODEL,
    });
    await fixture.service.apply({ files: shared, actor: 'root' });
    const line: RuleLine = ['p', 'alice', 'document:1', 'write'];
    await assert.rejects(change([line], [], { callerTenant: 'acme' }), Forbidden);
    await change([line], [], { tenant: 'acme' });
    const { items } = await fixture.service.listRules({ tenant: 'acme', limit: 9 });
    assert.deepEqual(
      items.map(({ rule, tenant }) => [rule, tenant]),
      [[line, 'acme']],
    );
  });

  it('lets no caller of a tenant add rules that would speak for other tenants', async () => {
    const models = [
      TENANT_MODEL.replace('r.dom == p.dom', 'regexMatch(r.dom, p.dom)'),
      TENANT_MODEL.replace('r.dom == p.dom && ', ''),
      TENANT_MODEL.replace(/^m = .*$/m, '$& || p.act == "any" && keyMatch(r.obj, p.obj)'),
      TENANT_MODEL.replace('r.dom == p.dom', '!(r.dom == p.dom)'),
      TENANT_MODEL.replace('r.dom == p.dom', 'r.dom == "acme"'),
    ];
    for (const model of models) {
      await fixture.service.apply({
        files: bundleOf('', { 'models/test.conf': model }),
        actor: 'root',
      });
      const line: RuleLine = ['p', 'editor', 'acme', 'document:*', 'read', 'allow'];
      await assert.rejects(change([line], [], { callerTenant: 'acme' }), {
        name: 'Forbidden',
        message:
          "`/add/0`: under this model `p` lines are not one tenant's alone: they may decide in all of them",
      });
      // Whoever reaches all tenants may; no tenant's list tells of it.
      await change([line]);
      const listed = async (query: object) =>
        (await fixture.service.listRules({ limit: 9, ...query })).items.map(({ rule }) => rule);
      assert.deepEqual(await listed({ tenant: 'acme' }), []);
      assert.deepEqual(await listed({ ptype: 'p' }), [line]);
      await change([], [line]);
    }
  });

  it('lets no caller of a tenant ask for the roles of another', async () => {
    const model = TENANT_MODEL.replace('obj, act, eft', 'obj, act, cond, eft').replace(
      /^m = .*$/m,
      'm = r.dom == p.dom && r.obj == p.obj && eval(p.cond)',
    );
    await fixture.service.apply({ files: bundleOf('', { 'models/test.conf': model }), actor });
    const asking = (cond: string): RuleLine => ['p', 'x', 'acme', 'document:1', 'x', cond, 'allow'];
    const bounds = { callerTenant: 'acme' };
    await change([asking('g(r.sub, "editor", r.dom)')], [], bounds);
    for (const cond of ['g(r.sub, "editor", "globex")', '!g(r.sub, "editor", r.act)']) {
      await assert.rejects(change([asking(cond)], [], bounds), Forbidden, cond);
    }
  });

  it('refuses a bundle whose model cannot hold the rules of an admin, naming each', async () => {
    await change([BOB, ['g', 'carol', 'editor', 'acme']]);
    const shared = bundleOf('', {
      'bundle.yaml': 'name: t\nmodel: test\ntenants: [acme]\n',
      'models/test.conf': SHARED_MODEL,
    });
    const faults = await faultsOf(fixture.service.apply({ files: shared, actor: 'root' }));
    assert.equal(faults.length, 2);
    assert.match(faults[0] ?? '', /^models\/test\.conf:1:1: the rule `g, bob, editor, acme`/);
    assert.match(faults[0] ?? '', /key:ada/);
    assert.deepEqual(await faultsOf(fixture.service.validate({ files: shared })), faults);
    const unlisted = bundleOf('', {
      'bundle.yaml': 'name: t\nmodel: test\ntenants: [globex]\n',
    });
    assert.equal(
      (await faultsOf(fixture.service.apply({ files: unlisted, actor: 'root' }))).length,
      2,
    );
    assert.equal(mayWrite('bob'), 'allow');
  });

  it('needs a bundle to say what fits', async () => {
    await fixture.reset();
    await assert.rejects(change([BOB]), Conflict);
  });

  it('lists the rules in force by tenant, type and subject, page by page, with their source', async () => {
    const globex: RuleLine = ['g', 'gina', 'editor', 'globex'];
    await change([BOB, globex, ALICE]);
    const { items } = await fixture.service.listRules({ tenant: 'acme', limit: 50 });
    assert.deepEqual(
      items.map(({ rule, source }) => [rule, source.bundle?.line, source.admin?.by]),
      [
        [['p', 'editor', 'acme', 'document:*', 'write', 'allow'], 1, undefined],
        [ALICE, 2, actor],
        [BOB, undefined, actor],
      ],
    );
    const listed: RuleLine[] = [];
    for (let after: string | null | undefined; after !== null; ) {
      const page = await fixture.service.listRules({
        limit: 1,
        ...(after === undefined ? {} : { after }),
      });
      listed.push(...page.items.map(({ rule }) => rule));
      after = page.next;
    }
    assert.deepEqual(listed, [items[0]?.rule, ALICE, BOB, globex]);
    const rulesOf = async (query: object) =>
      (await fixture.service.listRules({ limit: 9, ...query })).items.map(({ rule }) => rule);
    assert.deepEqual(await rulesOf({ subject: 'gina' }), [globex]);
    assert.deepEqual(await rulesOf({ ptype: 'p' }), [items[0]?.rule]);
    assert.deepEqual(await rulesOf({ tenant: 'nobody' }), []);
    await errorsOf(fixture.service.listRules({ limit: 1, after: 'b1; DROP' }));
  });

  it('tells each tenant in the audit of its own lines alone', async () => {
    await change([BOB, ['g', 'gina', 'editor', 'globex']]);
    const { items } = await findEvents(fixture.db.database, { kind: 'rules.changed' });
    assert.deepEqual(
      items.map(({ tenant, detail, revision }) => [tenant, detail, revision]).sort(),
      [
        ['acme', { added: [BOB], removed: [] }, 2],
        ['globex', { added: [['g', 'gina', 'editor', 'globex']], removed: [] }, 2],
      ],
    );
  });

  it('brings every value back from Postgres exactly as it came', async () => {
    const value = fc
      .string({ unit: 'binary', minLength: 1, maxLength: 20 })
      // oxlint-disable-next-line no-control-regex
      .map((text) => `,"( ${text.replace(/[\u0000-\u001f\u007f-\u009f]|\p{Surrogate}/gu, '')}\\`);
    const line = fc
      .tuple(value, value)
      .map(([subject, resource]): RuleLine => ['p', subject, 'acme', resource, 'read', 'allow']);
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(line, { selector: String, minLength: 1 }), async (lines) => {
        await change(lines);
        const { items } = await fixture.service.listRules({ limit: 200 });
        const added = items.filter(({ source }) => source.admin).map(({ rule }) => rule);
        await change([], lines);
        assert.deepEqual(added, lines);
      }),
      { numRuns: 15 },
    );
  });

  it('brings every value of a bundle back exactly as its author quoted it', async () => {
    const value = fc
      .oneof(
        fc.constantFrom('__proto__', ' ', '"', ',', '# a', "it's", '🙂'),
        fc.string({ unit: 'binary' }),
      )
      // oxlint-disable-next-line no-control-regex
      .map((text) => text.replace(/[\u0000-\u001f\u007f-\u009f]|\p{Surrogate}/gu, ''));
    const line = fc
      .tuple(value, value)
      .map(([subject, resource]): RuleLine => ['p', subject, 'acme', resource, 'read', 'allow']);
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(line, { selector: String }), async (lines) => {
        const files = bundleOf(lines.map(printRule).join('\r\n'));
        await fixture.service.apply({ files, actor: 'root' });
        const { items } = await fixture.service.listRules({ limit: 200 });
        assert.deepEqual(
          items.map(({ rule }) => rule),
          lines,
        );
      }),
      { numRuns: 15 },
    );
  });

  it('lets nobody else write the table of rules', async () => {
    const { database } = fixture.db;
    const outside = [
      sql`INSERT INTO casbin (ptype, rule, digest, admin_rank) VALUES ('p', '[]', '', 1)`,
      sql`UPDATE casbin SET ptype = 'g'`,
      sql`DELETE FROM casbin`,
      sql`TRUNCATE casbin`,
    ];
    for (const statement of outside) {
      await assert.rejects(statement.execute(database), /written by Countersign alone/);
    }
  });
});
