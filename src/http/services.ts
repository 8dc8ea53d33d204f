import type { ApprovalService } from '../approvals/approval-service.js';
import type { AuditFilter, AuditPage } from '../audit/audit-query.js';
import type { CheckService } from '../decision/check-service.js';
import type { KeyService } from '../identity/key-service.js';
import type { Clock } from '../platform/clock.js';
import type { Metrics } from '../platform/metrics.js';
import type { PolicyService } from '../policy/policy-service.js';
import type { BundleThread } from './bundle-call.js';
import type { Snapshot } from '../policy/snapshot.js';

/** The part of the log that the HTTP layer uses. */
export interface HttpLog {
  /** Whether lines of that level are written at all. */
  isLevelEnabled(level: 'debug'): boolean;
  debug(members: object, message: string): void;
  info(members: object, message: string): void;
  warn(members: object, message: string): void;
  error(members: object, message: string): void;
}

/** How one dependency of the server is. */
export interface HealthCheck {
  readonly status: 'ok' | 'failed' | 'not_configured';
  readonly message?: string;
  /** Of the policy: seconds since Postgres last confirmed it. */
  readonly age_seconds?: number;
}

/** Everything that the HTTP layer stands on, built by the composition root. */
export interface Services {
  readonly clock: Clock;
  readonly log: HttpLog;
  readonly metrics: {
    readonly httpRequests: Pick<Metrics['httpRequests'], 'inc'>;
    readonly registry: { readonly contentType: string; metrics(): Promise<string> };
  };
  /** Whether `GET /metrics` needs no credential. */
  readonly metricsPublic: boolean;
  /** The policy in force; its snapshot holds the keys that callers are known by. */
  readonly current: { readonly snapshot: Snapshot };
  readonly checks: CheckService;
  readonly policy: PolicyService;
  /** Answers calls about large bundles; without it they are answered in turns here. */
  readonly bundleThread?: Pick<BundleThread, 'answer'> | undefined;
  readonly approvals: Pick<
    ApprovalService,
    'list' | 'get' | 'approve' | 'reject' | 'cancel' | 'revoke'
  >;
  readonly keys: KeyService;
  findEvents(filter: AuditFilter): Promise<AuditPage>;
  readonly health: {
    /** How each dependency is; never throws. */
    checks(): Promise<
      Readonly<Record<'database' | 'redis' | 'policy', HealthCheck>> & {
        /** Only while events of the audit wait on disk. */
        readonly audit?: HealthCheck;
      }
    >;
    /** Whether this server can answer checks. */
    ready(): boolean;
  };
  /** Whether the server is on its way down and wants no more connections. */
  draining(): boolean;
  /** Whether connections end with their next answer; others on the port may be ready all the same. */
  parting(): boolean;
}
