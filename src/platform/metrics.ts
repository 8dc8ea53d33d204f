import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import { Tally, Timings } from './tally.js';

/** From an answer out of memory (a quarter of a millisecond) to one that waits for its bounded stores. */
const CHECK_SECONDS = [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1];
const BUILD_SECONDS = [0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60];

/** What is read of a pool of connections. */
export interface WatchedPool {
  readonly totalCount: number;
  readonly idleCount: number;
  readonly waitingCount: number;
}

/** Everything that `GET /metrics` shows, one member a metric; made by `createMetrics`. */
export type Metrics = ReturnType<typeof createMetrics>;

/**
 * Makes the metrics of one server, at zero. The process's own (`process_*`, `nodejs_*`, the lag of
 * the event loop among them) come along.
 *
 * @example createMetrics().decisions.inc('allow', 'allowed')
 */
export function createMetrics() {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const pools: WatchedPool[] = [];
  let ageOfPolicy = (): number => 0;
  const policyAge: Gauge = new Gauge({
    name: 'countersign_policy_age_seconds',
    help: 'Seconds since Postgres last confirmed the policy in force; of several workers, the most',
    aggregator: 'max',
    registers,
    collect() {
      policyAge.set(ageOfPolicy());
    },
  });
  let waitingEvents = (): number => 0;
  const auditPending: Gauge = new Gauge({
    name: 'countersign_audit_pending',
    help: 'Audit events in memory that wait to be written',
    registers,
    collect() {
      auditPending.set(waitingEvents());
    },
  });
  const connections = new Gauge({
    name: 'countersign_pool_connections',
    help: 'Connections to Postgres by state (total, idle), and calls that wait for one (waiting)',
    labelNames: ['state'],
    registers,
    collect() {
      const sum = (of: (pool: WatchedPool) => number): number =>
        pools.reduce((total, pool) => total + of(pool), 0);
      connections.set(
        { state: 'total' },
        sum((pool) => pool.totalCount),
      );
      connections.set(
        { state: 'idle' },
        sum((pool) => pool.idleCount),
      );
      connections.set(
        { state: 'waiting' },
        sum((pool) => pool.waitingCount),
      );
    },
  });
  return {
    registry,
    /** Counts the connections of a pool in from now on. */
    watchPool(pool: WatchedPool): void {
      pools.push(pool);
    },
    /** Asks how many audit events wait in memory, from now on. */
    watchAuditPending(pending: () => number): void {
      waitingEvents = pending;
    },
    /** Asks for the age of the policy in force, in seconds, from now on. */
    watchPolicyAge(age: () => number): void {
      ageOfPolicy = age;
    },
    decisions: new Tally(
      { name: 'countersign_decisions_total', help: 'Decisions by outcome and reason', registers },
      ['decision', 'reason'],
    ),
    checkSeconds: new Timings(
      {
        name: 'countersign_check_seconds',
        help: 'Time from a check read to its answer, in seconds',
        registers,
      },
      CHECK_SECONDS,
    ),
    evaluationErrors: new Counter({
      name: 'countersign_evaluation_errors_total',
      help: 'Checks denied because a rule or condition could not be evaluated',
      registers,
    }),
    revision: new Gauge({
      name: 'countersign_revision',
      help: 'Revision of the policy that this server answers from; of several workers, the lowest',
      // Every worker has it.
      aggregator: 'min',
      registers,
    }),
    snapshotBuilds: new Counter({
      name: 'countersign_snapshot_builds_total',
      help: 'Policy snapshots built and taken into use',
      registers,
    }),
    snapshotFailures: new Counter({
      name: 'countersign_snapshot_failures_total',
      help: 'Policy snapshots that could not be built; the former one stays in use',
      registers,
    }),
    snapshotBuildSeconds: new Histogram({
      name: 'countersign_snapshot_build_seconds',
      help: 'Time to build a policy snapshot, in seconds',
      buckets: BUILD_SECONDS,
      registers,
    }),
    snapshotIncrements: new Counter({
      name: 'countersign_snapshot_increments_total',
      help: 'Changes of rules taken into the policy snapshot in place',
      registers,
    }),
    engineRules: new Gauge({
      name: 'countersign_engine_rules',
      help: 'Casbin rules that the engine in use holds',
      aggregator: 'max',
      registers,
    }),
    engineMatcherParts: new Gauge({
      name: 'countersign_engine_matcher_parts',
      help: 'Parts of the matcher in use by how their rules are found (indexed, residual, fallback)',
      labelNames: ['handling'],
      aggregator: 'max',
      registers,
    }),
    changeMessages: new Counter({
      name: 'countersign_change_messages_total',
      help: 'Messages of changes by way (postgres, redis) and outcome (new, known, own, malformed, unsent)',
      labelNames: ['way', 'outcome'],
      registers,
    }),
    limitsWithoutRedis: new Tally(
      {
        name: 'countersign_limits_without_redis_total',
        help: 'Checks whose rate limits were not counted in Redis in time, by what was done (local, deny, allow; late: 503 as Redis was slow)',
        registers,
      },
      ['how'],
    ),
    servers: new Gauge({
      name: 'countersign_servers',
      help: 'Servers, each worker one, that share the limits in Redis, as last counted',
      aggregator: 'max',
      registers,
    }),
    breakerOpen: new Gauge({
      name: 'countersign_store_breaker_open',
      help: 'Whether decisions do without a store (postgres, redis) as it does not answer: 1 for each process',
      labelNames: ['store'],
      registers,
    }),
    breakerOpenings: new Counter({
      name: 'countersign_store_breaker_openings_total',
      help: 'Times that a store did not answer several times in a row, and was given a rest',
      labelNames: ['store'],
      registers,
    }),
    auditFailures: new Counter({
      name: 'countersign_audit_failures_total',
      help: 'Attempts to write audit events that failed; they are tried again',
      registers,
    }),
    auditSpilled: new Counter({
      name: 'countersign_audit_spilled_total',
      help: 'Audit events kept on disk while Postgres was away',
      registers,
    }),
    auditReplayed: new Counter({
      name: 'countersign_audit_replayed_total',
      help: 'Audit events taken from disk to Postgres; some twice, after a crash',
      registers,
    }),
    auditSpillBytes: new Gauge({
      name: 'countersign_audit_spill_bytes',
      help: 'Bytes of audit events on disk that wait for Postgres',
      registers,
    }),
    auditSpillRefuses: new Gauge({
      name: 'countersign_audit_spill_refuses',
      help: 'Processes whose audit events find no room on disk while Postgres is away: their checks get 503',
      registers,
    }),
    httpRequests: new Tally(
      {
        name: 'countersign_http_requests_total',
        help: 'HTTP requests by method, route and status',
        registers,
      },
      ['method', 'route', 'status'],
    ),
  };
}
