import assert from 'node:assert/strict';
import { newEnforcer, newModelFromString } from 'casbin';
import casbinPgAdapter from 'casbin-pg-adapter';
import type { RuleLine } from '../../src/vocabulary.js';
import { ask, bundleOf, type PolicyFixture, policyFixture, TENANT_MODEL } from './support.js';

const ROLES = ['viewer', 'editor', 'admin'];
const SUBJECTS = ['alice', 'bob', 'carol', 'dave', ...ROLES];
const TENANTS = ['acme', 'globex'];
const RESOURCES = ['document:1', 'document:22', 'report:1'];
const ACTIONS = ['read', 'write'];

const RULES = `
p, viewer, acme, document:*, read, allow
p, editor, acme, document:1, write, allow
p, admin, acme, *, write, allow
p, viewer, acme, document:22, read, deny
p, viewer, globex, *, read, allow
p, dave, globex, report:1, write, allow
g, editor, viewer, acme
g, admin, editor, acme
g, alice, admin, acme
g, bob, editor, acme
g, carol, viewer, globex
`;
const ADDED: RuleLine[] = [
  ['g', 'dave', 'viewer', 'acme'],
  ['p', 'carol', 'globex', 'document:*', 'write', 'deny'],
];

describe('a stock casbin program on the database of rules', () => {
  let fixture: PolicyFixture;
  before(async () => {
    fixture = await policyFixture();
    await fixture.service.apply({ files: bundleOf(RULES), actor: 'root' });
    await fixture.service.changeRules({ add: ADDED, remove: [], actor: 'root' });
  });
  after(() => fixture.close());

  for (const migrate of [false, true]) {
    it(`decides as the server does, ${migrate ? 'running its own migrations' : 'migrating nothing'}`, async () => {
      const connectionString = fixture.db.url;
      const adapter = await casbinPgAdapter.default.newAdapter({ connectionString, migrate });
      try {
        const stock = await newEnforcer(newModelFromString(TENANT_MODEL), adapter);
        await stock.loadPolicy();
        const { engine } = fixture.current.snapshot;
        const answers = new Set<boolean>();
        for (const subject of SUBJECTS)
          for (const tenant of TENANTS)
            for (const resource of RESOURCES)
              for (const action of ACTIONS) {
                const theirs = await stock.enforce(subject, tenant, resource, action);
                const ours = engine.decide(ask(tenant, subject, action, resource)).effect;
                assert.equal(
                  ours === 'allow',
                  theirs,
                  `${subject} ${tenant} ${resource} ${action}`,
                );
                answers.add(theirs);
              }
        assert.equal(answers.size, 2);
      } finally {
        await adapter.close();
      }
    });
  }

  it('may read and never write', async () => {
    const connectionString = fixture.db.url;
    const adapter = await casbinPgAdapter.default.newAdapter({ connectionString, migrate: false });
    try {
      const stock = await newEnforcer(newModelFromString(TENANT_MODEL), adapter);
      await assert.rejects(stock.addPolicy('eve', 'acme', '*', 'read', 'allow'));
      await assert.rejects(stock.removePolicy('viewer', 'acme', 'document:22', 'read', 'deny'));
      await assert.rejects(stock.savePolicy());
      const { items } = await fixture.service.listRules({ limit: 50 });
      assert.equal(items.length, 13);
    } finally {
      await adapter.close();
    }
  });
});
