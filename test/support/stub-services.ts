import { credentialHash } from '../../src/identity/authenticate.js';
import type { StoredKey } from '../../src/identity/key-ring.js';
import { createMetrics } from '../../src/platform/metrics.js';
import type { HttpLog, Services } from '../../src/http/services.js';

/** What a log was told, in order. */
export interface LogLine {
  readonly level: Exclude<keyof HttpLog, 'isLevelEnabled'>;
  readonly members: Readonly<Record<string, unknown>>;
  readonly message: string;
}

/** A log that keeps its lines. */
export function memoryLog(): HttpLog & { readonly lines: LogLine[] } {
  const lines: LogLine[] = [];
  const at = (level: LogLine['level']) => (members: object, message: string) => {
    lines.push({ level, members: members as Record<string, unknown>, message });
  };
  return {
    lines,
    isLevelEnabled: () => true,
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
  };
}

/** A key that the stub's ring knows. */
export const STUB_KEY = `csk_${'A'.repeat(43)}`;

/** The body of an answer to a check. */
export const DECIDED = {
  decision: 'allow',
  allowed: true,
  reason: 'allowed',
  message: 'read on document:1 is allowed for alice',
  rules: [],
  revision: 1,
  decision_id: 'dec_1',
};

/** Services that answer every call alike, for what the HTTP layer does by itself. */
export function stubServices(overrides: Partial<Services> = {}): Services {
  const unused = async (): Promise<never> => {
    throw new Error('not part of this test');
  };
  const stored: StoredKey = {
    caller: {
      id: 'key:stub',
      tenant: undefined,
      user: undefined,
      person: 'key:stub',
      systemRoles: ['platform_admin'],
    },
    expiresAt: undefined,
  };
  const hash = credentialHash(STUB_KEY);
  return {
    clock: { now: () => Date.parse('2026-03-30T10:00:00Z') },
    log: memoryLog(),
    metrics: createMetrics(),
    metricsPublic: false,
    current: {
      snapshot: {
        keys: { find: (of: string) => (of === hash ? stored : undefined), holds: () => true },
      },
    } as never,
    checks: {
      check: unused,
      checkBatch: unused,
      openApproval: unused,
      room: () => undefined,
    },
    policy: {
      apply: unused,
      validate: unused,
      activate: unused,
      history: unused,
      get: unused,
      listRules: unused,
      changeRules: unused,
      sizeOf: unused,
      takeUp: unused,
    },
    approvals: {
      list: unused,
      get: unused,
      approve: unused,
      reject: unused,
      cancel: unused,
      revoke: unused,
    },
    keys: { create: unused, list: unused, revoke: unused },
    findEvents: unused,
    health: {
      checks: async () => ({
        database: { status: 'ok' },
        redis: { status: 'not_configured' },
        policy: { status: 'ok' },
      }),
      ready: () => true,
    },
    draining: () => false,
    parting: () => false,
    ...overrides,
  };
}
