import { sql } from 'kysely';
import { createAuditRecorder } from '../../src/audit/recorder.js';
import { InvalidBundle } from '../../src/errors.js';
import type { BundleFiles, BundleTester } from '../../src/policy/compiled-bundle.js';
import { createCurrentPolicy, type CurrentPolicy } from '../../src/policy/current-policy.js';
import { createPolicyService, type PolicyService } from '../../src/policy/policy-service.js';
import { loadShippedModels } from '../../src/policy/shipped-models.js';
import type { Check } from '../../src/vocabulary.js';
import { type TestDatabase, testDatabase } from '../support/database.js';

/** Takes what is logged and says nothing. */
export const silentLog = { info() {}, warn() {}, error() {} };

/** RBAC with tenants, as small as it gets: what the tests of this folder decide by. */
export const TENANT_MODEL = `[request_definition]
r = sub, dom, obj, act
[policy_definition]
p = sub, dom, obj, act, eft
[role_definition]
g = _, _, _
[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))
[matchers]
m = g(r.sub, p.sub, r.dom) && r.dom == p.dom && keyMatch(r.obj, p.obj) && r.act == p.act
`;

/** The first rule that matches decides: order is everything. */
export const PRIORITY_MODEL = `[request_definition]
r = sub, dom, obj, act
[policy_definition]
p = sub, dom, obj, act, eft
[role_definition]
g = _, _, _
[policy_effect]
e = priority(p.eft) || deny
[matchers]
m = g(r.sub, p.sub, r.dom) && r.dom == p.dom && keyMatch(r.obj, p.obj) && r.act == p.act
`;

/** A bundle of these rules, one text a file; `rules/a.csv` unless more are given. */
export function bundleOf(
  rules: string | Record<string, string>,
  others: Record<string, string> = {},
): BundleFiles {
  const files = typeof rules === 'string' ? { 'rules/a.csv': rules } : rules;
  return new Map(
    Object.entries({
      'bundle.yaml': 'name: test\nmodel: test\n',
      'models/test.conf': TENANT_MODEL,
      ...files,
      ...others,
    }),
  );
}

/** A question of a user about a document, as short as it can be put. */
export function ask(tenant: string, subject: string, action: string, resource: string): Check {
  const [type = '', ...rest] = resource.split(':');
  return {
    tenant,
    subject: { type: 'user', id: subject, properties: {} },
    action: { name: action, properties: {} },
    resource: { type, id: rest.join(':'), properties: {} },
    context: {},
  };
}

/** Finds a row for every lock that somebody in this database waits for. */
export const WAITING_LOCKS = `
  SELECT FROM pg_locks JOIN pg_database ON pg_database.oid = database
  WHERE datname = current_database() AND NOT granted`;

/** A service on a database of its own, with the holder that follows it. */
export interface PolicyFixture {
  readonly db: TestDatabase;
  readonly service: PolicyService;
  readonly current: CurrentPolicy;
  /** What bundle tests come to; none fail unless it is replaced. */
  readonly tests: { run: BundleTester };
  readonly shippedModels: Map<string, string>;
  /** Empties the database and starts anew on it. */
  reset(): Promise<void>;
  close(): Promise<void>;
}

/** Sets everything up; the holder has read the empty database once. */
export async function policyFixture(): Promise<PolicyFixture> {
  const db = await testDatabase();
  const { database } = db;
  const clock = { now: () => Date.UTC(2026, 2, 30, 10) };
  const audit = createAuditRecorder({ database, mode: 'strict', log: silentLog, clock });
  const shippedModels = new Map(await loadShippedModels());
  const start = async () => {
    const current = createCurrentPolicy({ database, log: silentLog, poll: 3_600_000 });
    const tests: { run: BundleTester } = { run: async () => ({ faults: [], parts: [] }) };
    const runTests: BundleTester = (bundle) => tests.run(bundle);
    await current.start();
    const service = createPolicyService({ database, audit, current, runTests, shippedModels });
    return { current, tests, service };
  };
  const fixture = {
    db,
    shippedModels,
    ...(await start()),
    reset: async () => {
      await fixture.current.stop();
      await database.transaction().execute(async (transaction) => {
        await sql`SET LOCAL countersign.revision = '0'`.execute(transaction);
        await sql`TRUNCATE change_log, casbin, audit_events CASCADE`.execute(transaction);
      });
      Object.assign(fixture, await start());
    },
    close: async () => {
      await fixture.current.stop();
      await audit.close();
      await db.close();
    },
  };
  return fixture;
}

/** The faults that a promise was refused with, as they are told. */
export async function faultsOf(promise: Promise<unknown>): Promise<string[]> {
  const error: unknown = await promise.then(
    () => new Error('nothing was refused'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof InvalidBundle)) throw error;
  return error.faults.map((f) => `${f.file}:${f.line}:${f.column}: ${f.message}`);
}
