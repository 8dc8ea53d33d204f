import { createApprovalService } from '../../src/approvals/create-approval-service.js';
import type { Acting, ApprovalService } from '../../src/approvals/approval-service.js';
import { type AuditRecorder, createAuditRecorder } from '../../src/audit/recorder.js';
import { snapshotOf } from '../../src/decision/bundle-tests.js';
import { type CheckService, createCheckService } from '../../src/decision/check-service.js';
import { createMemoryLimiter } from '../../src/governance/memory-limiter.js';
import type { Caller } from '../../src/identity/caller.js';
import { permits } from '../../src/identity/permissions.js';
import { compileBundle } from '../../src/policy/compile-bundle.js';
import { loadShippedModels } from '../../src/policy/shipped-models.js';
import type { Snapshot } from '../../src/policy/snapshot.js';
import { type TestDatabase, testDatabase } from './database.js';

/** A check service on a database of its own, with a policy that tests may replace. */
export interface World {
  readonly db: TestDatabase;
  readonly checks: CheckService;
  readonly approvals: ApprovalService;
  readonly audit: AuditRecorder;
  /** The clock of the decisions; approvals go by the database's. */
  now: number;
  /** Replaces the policy by that of these files, under the next revision. */
  use(files: Record<string, string>): Promise<void>;
  /** How a caller acts on approvals under the policy. */
  acting(caller: Caller): Acting;
  close(): Promise<void>;
}

/** A caller as the door lets it in. */
export function caller(over: Partial<Caller> = {}): Caller {
  const id = over.id ?? 'key:test';
  return { id, tenant: undefined, user: undefined, person: id, systemRoles: ['service'], ...over };
}

/** A person with a key of its own. */
export function person(user: string, over: Partial<Caller> = {}): Caller {
  return caller({ id: `key:${user}`, user, person: `user:${user}`, systemRoles: [], ...over });
}

/** Builds a world around the policy of these files. */
export async function makeWorld(files: Record<string, string>): Promise<World> {
  const db = await testDatabase();
  const clock = { now: () => world.now };
  const log = { warn() {}, error() {} };
  const audit = createAuditRecorder({ database: db.database, mode: 'strict', log, clock });
  const approvals = createApprovalService({ database: db.database, audit });
  let snapshot: Snapshot | undefined;
  const current = {
    get snapshot(): Snapshot {
      if (snapshot === undefined) throw new Error('no policy yet');
      return snapshot;
    },
    confirmedAt: 0,
    isFresh: () => true,
    catchUp: async () => current.snapshot,
    catchUpKeys: async () => undefined,
    waitFor: async (revision: number) =>
      current.snapshot.revision >= revision ? current.snapshot : undefined,
    start: async () => {},
    stop: async () => {},
  };
  const decided: string[] = [];
  const checks = createCheckService({
    database: db.database,
    audit,
    approvals,
    limiter: createMemoryLimiter({ clock }),
    current,
    clock,
    metrics: { decided: ({ reason }) => decided.push(reason) },
    describeError: (error) => ({ detail: error instanceof Error ? error.message : 'unknown' }),
  });
  const world: World = {
    db,
    checks,
    approvals,
    audit,
    now: Date.parse('2026-03-30T10:00:00Z'),
    async use(next) {
      const shippedModels = await loadShippedModels();
      const compilation = compileBundle(new Map(Object.entries(next)), { shippedModels });
      if ('faults' in compilation) throw new Error(JSON.stringify(compilation.faults, null, 2));
      const revision = (snapshot?.revision ?? 0) + 1;
      snapshot = { ...snapshotOf(compilation.bundle), revision };
    },
    acting: (who) => ({
      caller: who,
      rolesIn: (tenant) =>
        who.user === undefined
          ? []
          : current.snapshot.engine.rolesOf({
              tenant,
              subject: { type: 'user', id: who.user, properties: {} },
            }),
      permits: (permission, tenant) => permits(who, permission, tenant),
    }),
    async close() {
      await audit.close();
      await db.close();
    },
  };
  await world.use(files);
  return world;
}
