import assert from 'node:assert/strict';
import { sql } from 'kysely';
import { findEvents } from '../../src/audit/audit-query.js';
import { createAuditRecorder } from '../../src/audit/recorder.js';
import { Conflict, Forbidden, InvalidRequest, NotFound, SettingsError } from '../../src/errors.js';
import { authenticate } from '../../src/identity/authenticate.js';
import type { Caller } from '../../src/identity/caller.js';
import { loadKeys } from '../../src/identity/key-ring.js';
import { installRootKey } from '../../src/identity/install-root-key.js';
import {
  createKeyService,
  type KeyService,
  type KeyServiceOptions,
} from '../../src/identity/key-service.js';
import type { NewKey } from '../../src/identity/new-key.js';
import { SYSTEM_ROLES, type SystemRole } from '../../src/identity/system-roles.js';
import { changesAfter, latestRevision } from '../../src/platform/change-log.js';
import { type TestDatabase, testDatabase } from '../support/database.js';

const NOW = Date.parse('2026-11-22T12:00:00Z');
const ROOT_KEY = 'the root key of these tests, 32 and more';

function caller(id: string, tenant: string | undefined, ...systemRoles: SystemRole[]): Caller {
  return { id, tenant, user: undefined, person: id, systemRoles };
}

const root: Caller = { ...caller('root', undefined, 'platform_admin'), person: 'key:root' };
const acmeAdmin = caller('key:acme-admin', 'acme', 'tenant_admin');
const globexAdmin = caller('key:globex-admin', 'globex', 'tenant_admin');
const adminOfAll = caller('key:admin-of-all', undefined, 'tenant_admin');

describe('the key service', () => {
  let db: TestDatabase;
  let keys: KeyService;
  let options: KeyServiceOptions;
  let caughtUp = 0;
  const settings = { rolesAsSubjects: false };

  before(async () => {
    db = await testDatabase();
  });
  beforeEach(() => {
    const audit = createAuditRecorder({
      database: db.database,
      mode: 'buffered',
      log: { warn: () => {}, error: () => {} },
      clock: { now: () => NOW },
    });
    settings.rolesAsSubjects = false;
    const isRole = (name: string, tenant: string) => name === 'editor' && tenant === 'acme';
    options = {
      database: db.database,
      audit,
      clock: { now: () => NOW },
      current: {
        snapshot: { engine: { isRole }, settings },
        catchUp: async () => {
          caughtUp += 1;
        },
      },
    };
    keys = createKeyService(options);
  });
  afterEach(async () => {
    await sql`DELETE FROM api_keys`.execute(db.database);
    await sql`DELETE FROM change_log`.execute(db.database);
    await sql`DELETE FROM audit_events`.execute(db.database);
  });
  after(() => db.close());

  async function callerOf(key: string, now = NOW): Promise<Caller> {
    return authenticate(`Bearer ${key}`, await loadKeys(db.database), now);
  }

  async function ids(asking: Caller, tenant?: string): Promise<string[]> {
    const { items } = await keys.list(asking, tenant === undefined ? {} : { tenant });
    return items.map((item) => item.id);
  }

  describe('making a key', () => {
    it('shows the key once, and it is then good for what it was made for', async () => {
      const before = caughtUp;
      const made = await keys.create(root, {
        name: 'billing',
        tenant: 'acme',
        user: 'alice',
        roles: ['service', 'approver'],
      });
      assert.match(made.key, /^csk_[A-Za-z0-9_-]{43}$/);
      assert.deepEqual(await callerOf(made.key), {
        id: `key:${made.id}`,
        tenant: 'acme',
        user: 'alice',
        person: 'user:alice',
        systemRoles: ['service', 'approver'],
      });
      assert.equal(caughtUp, before + 1);
    });

    it('keeps nothing from which the key could be had again', async () => {
      const { key } = await keys.create(root, { name: 'x', roles: ['service'] });
      const { rows } = await sql<{ all: string }>`
        SELECT concat((SELECT json_agg(k) FROM api_keys k), (SELECT json_agg(c) FROM change_log c),
          (SELECT json_agg(e) FROM audit_events e)) AS all`.execute(db.database);
      assert.ok(rows[0]?.all.includes('key.created'));
      assert.ok(!rows[0]?.all.includes(key.slice(4)));
    });

    it('is one revision with its audit event', async () => {
      const before = await latestRevision(db.database);
      const made = await keys.create(
        acmeAdmin,
        { name: 'x', user: 'bob', roles: ['service'] },
        { requestId: 'req-1', ip: '192.0.2.1' },
      );
      assert.equal(made.revision, before + 1);
      const [change] = await changesAfter(db.database, before, 10);
      assert.ok(change);
      const { at: _, ...rest } = change;
      assert.deepEqual(rest, {
        revision: made.revision,
        kind: 'key.created',
        actor: 'key:acme-admin',
        tenant: 'acme',
        detail: { key: made.id },
      });
      const [event] = (await findEvents(db.database, { kind: 'key.created' })).items;
      assert.ok(event);
      assert.equal(event.revision, made.revision);
      assert.equal(event.tenant, 'acme');
      assert.equal(event.actor, 'key:acme-admin');
      assert.equal(event.resource, `key:${made.id}`);
      assert.equal(event.request_id, 'req-1');
      assert.equal(event.ip, '192.0.2.1');
      assert.deepEqual(event.detail, {
        key: made.id,
        name: 'x',
        roles: ['service'],
        person: 'user:bob',
        by: 'key:acme-admin',
        caller: 'key:acme-admin',
        user: 'bob',
        expires_at: null,
      });
    });

    it('leaves nothing behind where its audit event cannot be written', async () => {
      const failing = createKeyService({
        ...options,
        audit: {
          write: async () => {
            throw new Error('no audit');
          },
        },
      });
      const before = await latestRevision(db.database);
      await assert.rejects(failing.create(root, { name: 'x', roles: [] }), /no audit/);
      assert.deepEqual(await ids(root), []);
      assert.equal(await latestRevision(db.database), before);
    });

    it('is done although the policy cannot be read again at once', async () => {
      const lagging = createKeyService({
        ...options,
        current: { ...options.current, catchUp: () => Promise.reject(new Error('away')) },
      });
      const { id } = await lagging.create(root, { name: 'x', roles: [] });
      assert.deepEqual(await ids(root), [id]);
    });

    it('is answered although reading the policy again does not end', async function () {
      this.timeout(10_000);
      const hanging = createKeyService({
        ...options,
        current: { ...options.current, catchUp: () => new Promise(() => {}) },
      });
      const { id } = await hanging.create(root, { name: 'x', roles: [] });
      assert.deepEqual(await ids(root), [id]);
    });

    for (const role of SYSTEM_ROLES) {
      const allowed = role === 'platform_admin' || role === 'tenant_admin';
      it(`is ${allowed ? 'for' : 'not for'} a ${role}`, async () => {
        for (const tenant of [undefined, 'acme']) {
          const making = keys.create(caller('key:1', tenant, role), { name: 'x', roles: [] });
          if (allowed) await making;
          else await assert.rejects(making, Forbidden);
        }
      });
    }

    it('gives a role only to those who can do as much', async () => {
      for (const [maker, tenant, role] of [
        [acmeAdmin, 'acme', 'platform_admin'],
        [adminOfAll, undefined, 'platform_admin'],
        [adminOfAll, undefined, 'policy_author'],
      ] as const) {
        const body = { name: 'x', roles: [role], ...(tenant === undefined ? {} : { tenant }) };
        await assert.rejects(keys.create(maker, body), Forbidden);
      }
    });

    it('for a credential of a tenant is for that tenant, named or not', async () => {
      const made = await keys.create(acmeAdmin, { name: 'x', roles: ['service'] });
      assert.equal(made.tenant, 'acme');
      await keys.create(acmeAdmin, { name: 'x', tenant: 'acme', roles: ['service'] });
      await assert.rejects(
        keys.create(acmeAdmin, { name: 'x', tenant: 'globex', roles: ['service'] }),
        Forbidden,
      );
      assert.deepEqual(await ids(globexAdmin), []);
    });

    it('refuses a role that would give a key of a tenant nothing', async () => {
      const body: NewKey = { name: 'x', roles: ['policy_author'] };
      await assert.rejects(keys.create(root, { ...body, tenant: 'acme' }), InvalidRequest);
      await keys.create(root, body);
      await keys.create(root, { ...body, tenant: 'acme', roles: ['monitor'] });
    });

    it('refuses an expiry that is not to come, or is no time', async () => {
      for (const expires_at of [
        '2026-11-22T12:00:00Z',
        '1999-01-01T00:00:00Z',
        'tomorrow',
        '',
        '2027-02-30',
        '2027-02-30T00:00:00Z',
        '2027-02-29T00:00:00+01:00',
        '2027-04-31T00:00:00.5Z',
        '2027-13-01T00:00:00Z',
        '2027-01-01T00:00:00',
      ]) {
        await assert.rejects(
          keys.create(root, { name: 'x', roles: [], expires_at }),
          (error) =>
            error instanceof InvalidRequest &&
            (error.members.errors as { path: string }[])[0]?.path === '/expires_at',
        );
      }
    });

    it('lets a key end when it was said to, in whatever time zone', async () => {
      const made = await keys.create(root, {
        name: 'x',
        roles: ['service'],
        expires_at: '2026-11-22T14:00:01+02:00',
      });
      assert.equal(made.expires_at, '2026-11-22T12:00:01.000Z');
      await callerOf(made.key, NOW + 999);
      await assert.rejects(callerOf(made.key, NOW + 1_000), { name: 'Unauthenticated' });
    });

    it('refuses a user who is called like a role of the tenant, unless the bundle allows it', async () => {
      const body = { name: 'x', user: 'editor', roles: [] };
      await assert.rejects(keys.create(root, { ...body, tenant: 'acme' }), InvalidRequest);
      await assert.rejects(keys.create(acmeAdmin, body), InvalidRequest);
      await keys.create(root, { ...body, tenant: 'globex' });
      settings.rolesAsSubjects = true;
      await keys.create(root, { ...body, tenant: 'acme' });
    });
  });

  describe('the person of a key', () => {
    it('is the user, where there is one, whoever made it', async () => {
      const made = await keys.create(root, { name: 'x', user: 'alice', roles: [] });
      assert.equal(made.person, 'user:alice');
    });

    it('is the key itself where the root key made it', async () => {
      const made = await keys.create(root, { name: 'x', roles: [] });
      assert.equal(made.person, `key:${made.id}`);
    });

    it('stays the same along a chain of keys without a user', async () => {
      const first = await keys.create(root, { name: '1', tenant: 'acme', roles: ['tenant_admin'] });
      const second = await keys.create(await callerOf(first.key), {
        name: '2',
        roles: ['tenant_admin'],
      });
      const third = await keys.create(await callerOf(second.key), { name: '3', roles: [] });
      assert.equal(third.person, `key:${first.id}`);
    });

    it('is the maker where a user made it, so that nobody becomes two', async () => {
      const alice = await keys.create(root, {
        name: 'alice',
        tenant: 'acme',
        user: 'alice',
        roles: ['tenant_admin'],
      });
      const robot = await keys.create(await callerOf(alice.key), { name: 'robot', roles: [] });
      assert.equal(robot.person, 'user:alice');
      assert.equal(robot.user, undefined);
    });
  });

  describe('listing keys', () => {
    it('gives each once over all pages, without a secret or its hash', async () => {
      const made: string[] = [];
      for (let index = 0; index < 7; index++) {
        made.push((await keys.create(root, { name: `k${index}`, roles: [] })).id);
      }
      const seen: string[] = [];
      let after: string | null = null;
      do {
        const page: Awaited<ReturnType<KeyService['list']>> = await keys.list(root, {
          limit: 3,
          ...(after === null ? {} : { after }),
        });
        for (const item of page.items) {
          seen.push(item.id);
          assert.deepEqual(Object.keys(item).sort(), [
            'created_at',
            'created_by',
            'id',
            'name',
            'person',
            'roles',
          ]);
        }
        after = page.next;
      } while (after !== null);
      assert.deepEqual(seen, made);
    });

    it('shows a credential of a tenant the keys of that tenant alone', async () => {
      const mine = await keys.create(acmeAdmin, { name: 'x', roles: [] });
      const theirs = await keys.create(globexAdmin, { name: 'x', roles: [] });
      const everywhere = await keys.create(root, { name: 'x', roles: [] });
      assert.deepEqual(await ids(acmeAdmin), [mine.id]);
      assert.deepEqual(await ids(acmeAdmin, 'acme'), [mine.id]);
      await assert.rejects(ids(acmeAdmin, 'globex'), Forbidden);
      assert.deepEqual(await ids(root, 'globex'), [theirs.id]);
      assert.deepEqual(await ids(root), [mine.id, theirs.id, everywhere.id]);
    });

    it('needs the permission to read keys', async () => {
      await assert.rejects(ids(caller('key:1', 'acme', 'auditor', 'service')), Forbidden);
    });

    for (const filter of [
      { after: "x' OR 1=1" },
      { after: '' },
      { after: 'x' },
      { after: 'key_1' },
      { limit: 0 },
      { limit: 201 },
    ]) {
      it(`refuses ${JSON.stringify(filter)}`, async () => {
        await assert.rejects(keys.list(root, filter), InvalidRequest);
      });
    }
  });

  describe('revoking a key', () => {
    it('ends it, with a revision and an audit event', async () => {
      const made = await keys.create(root, { name: 'x', tenant: 'acme', roles: ['service'] });
      const { revision } = await keys.revoke(acmeAdmin, made.id);
      assert.equal(revision, made.revision + 1);
      await assert.rejects(callerOf(made.key), { name: 'Unauthenticated' });
      assert.deepEqual(await ids(root), []);
      const [event] = (await findEvents(db.database, { kind: 'key.revoked' })).items;
      assert.equal(event?.revision, revision);
      assert.equal(event?.actor, 'key:acme-admin');
      assert.equal(event?.tenant, 'acme');
    });

    it('changes nothing the second time, also when both come at once', async () => {
      const { id } = await keys.create(root, { name: 'x', roles: [] });
      const revisions = await Promise.all([keys.revoke(root, id), keys.revoke(root, id)]);
      assert.deepEqual(await keys.revoke(root, id), revisions[0]);
      assert.deepEqual(revisions[0], revisions[1]);
      assert.equal((await findEvents(db.database, { kind: 'key.revoked' })).items.length, 1);
    });

    it('finds no key of another tenant, nor one for all tenants', async () => {
      const mine = await keys.create(acmeAdmin, { name: 'x', roles: [] });
      const everywhere = await keys.create(root, { name: 'x', roles: [] });
      await assert.rejects(keys.revoke(globexAdmin, mine.id), NotFound);
      await assert.rejects(keys.revoke(globexAdmin, everywhere.id), NotFound);
      for (const id of ['key_none', '', "' OR 1=1", 'a\0b', 'x'.repeat(10_000)]) {
        await assert.rejects(keys.revoke(root, id), NotFound);
      }
      assert.deepEqual(await ids(root), [mine.id, everywhere.id]);
    });

    it('needs the permission to write keys', async () => {
      const { id } = await keys.create(acmeAdmin, { name: 'x', roles: [] });
      await assert.rejects(keys.revoke(caller('key:1', 'acme', 'auditor'), id), Forbidden);
    });

    it('is not for those who can do less, over all tenants', async () => {
      const mighty = await keys.create(root, { name: 'x', roles: ['platform_admin'] });
      const equal = await keys.create(root, { name: 'x', roles: ['tenant_admin'] });
      await assert.rejects(keys.revoke(adminOfAll, mighty.id), Forbidden);
      await keys.revoke(adminOfAll, equal.id);
      assert.deepEqual(await ids(root), [mighty.id]);
    });
  });

  describe('the root key', () => {
    it('is the platform admin, a person of its own, and never expires', async () => {
      await installRootKey(db.database, ROOT_KEY);
      assert.deepEqual(await callerOf(ROOT_KEY, Number.MAX_SAFE_INTEGER), root);
    });

    it('is installed once, with one revision, however many servers start', async () => {
      await Promise.all([1, 2, 3].map(() => installRootKey(db.database, ROOT_KEY)));
      assert.equal(await latestRevision(db.database), 1);
      const [event] = (await findEvents(db.database, {})).items;
      assert.equal(event?.kind, 'key.created');
      assert.deepEqual(event?.detail, { key: 'root' });
      assert.ok(!JSON.stringify(event).includes(ROOT_KEY));
    });

    it('takes the place of the former one', async () => {
      await installRootKey(db.database, ROOT_KEY);
      await installRootKey(db.database, `another ${ROOT_KEY}`);
      assert.deepEqual(await callerOf(`another ${ROOT_KEY}`), root);
      await assert.rejects(callerOf(ROOT_KEY), { name: 'Unauthenticated' });
      assert.deepEqual(await ids(root), ['root']);
      assert.equal(await latestRevision(db.database), 2);
    });

    it('leaves every other key as it is', async () => {
      const { key } = await keys.create(root, { name: 'x', roles: [] });
      await installRootKey(db.database, ROOT_KEY);
      await callerOf(key);
    });

    it('cannot be revoked, nor be an API key', async () => {
      await installRootKey(db.database, ROOT_KEY);
      await assert.rejects(keys.revoke(root, 'root'), Conflict);
      const { key } = await keys.create(root, { name: 'x', roles: [] });
      await assert.rejects(installRootKey(db.database, key), SettingsError);
      await callerOf(ROOT_KEY);
    });
  });

  it('gives nothing for a role that this version does not know', async () => {
    const { key } = await keys.create(root, { name: 'x', roles: ['service'] });
    await sql`UPDATE api_keys SET roles = '{service,emperor}'`.execute(db.database);
    assert.deepEqual((await callerOf(key)).systemRoles, ['service']);
  });
});
