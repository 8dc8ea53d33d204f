import { mkdir } from 'node:fs/promises';
import type { Server } from 'node:http';
import { join } from 'node:path';
import { createApprovalService } from './approvals/create-approval-service.js';
import { findEvents } from './audit/audit-query.js';
import { ensureAuditPartitions } from './audit/partitions.js';
import { createAuditRecorder } from './audit/recorder.js';
import { Spill } from './audit/spill.js';
import { approvalTerms } from './decision/approval-terms.js';
import { runBundleTests } from './decision/bundle-tests.js';
import { createCheckService, type DecisionMetrics } from './decision/check-service.js';
import { forgetOldAnswers } from './decision/idempotency.js';
import type { EngineBuilder } from './engine/create-engine.js';
import type { Model } from './engine/model.js';
import { createApp } from './http/app.js';
import { createBundleThread } from './http/bundle-thread.js';
import { closeGently, listen, stopListening } from './http/listen.js';
import { answerable, logFailure, problemOf } from './http/problem.js';
import type { Services } from './http/services.js';
import { createKeyService } from './identity/key-service.js';
import { type Clock, systemClock } from './platform/clock.js';
import type { Config } from './platform/config.js';
import type { Logger } from './platform/log.js';
import { createMetrics, type Metrics } from './platform/metrics.js';
import { repeat } from './platform/repeat.js';
import { compilingSchemas } from './platform/schema-faults.js';
import { inTurns } from './platform/turns.js';
import { createCurrentPolicy } from './policy/current-policy.js';
import { applyAtFirstStart, watchDirectory } from './policy/policy-directory.js';
import { createPolicyService, type PolicyService } from './policy/policy-service.js';
import { loadShippedModels } from './policy/shipped-models.js';
import { nameServer } from './server-file.js';
import { createHealth, policyAge } from './server-health.js';
import { closeAll, type Closer, closingOnFailure } from './closers.js';
import { openStores, LENGTHY } from './server-stores.js';
import { openWatcher } from './server-watcher.js';

/** What a server is given besides its settings. */
export interface ServerOptions {
  readonly log: Logger;
  /** The machine's own clock unless given. */
  readonly clock?: Clock;
  /** Apply the policy directory again on every change of it. */
  readonly watch?: boolean;
  /** Begins the engines that decide; the fastest for each model unless given. */
  readonly buildEngine?: (model: Model) => EngineBuilder;
  /**
   * Given to one of several processes that share the port. What is done once for all of them is done
   * already: the database is started, migrated and has its root key, its bundle and who watches it.
   */
  readonly worker?: WorkerPart;
  /** Gives the start up: what was opened is closed again. */
  readonly signal?: AbortSignal;
}

/** What a worker is given. */
export interface WorkerPart {
  /** The metrics of all workers, as `GET /metrics` shows them. */
  allMetrics(): Promise<string>;
}

/** A server that answers. */
export interface RunningServer {
  /** `http://HOST:PORT`, with the port that was bound. */
  readonly url: string;
  readonly http: Server;
  readonly policy: PolicyService;
  /** What this process has counted. */
  readonly metrics: Metrics['registry'];
  /** Settles with the reason when the server can no longer go on; never rejects. */
  readonly failed: Promise<string>;
  /** Turns `/health/ready` away while requests are still answered. */
  drain(): void;
  /**
   * Takes no new connections, and ends those that are open with their next answer: others listen on
   * the port, so the server as a whole stays ready.
   */
  leave(): void;
  /** Finishes what is in flight, writes what is recorded, closes everything, in this order. */
  stop(): Promise<void>;
}

/** Milliseconds between two rounds of housekeeping. */
const HOUSEKEEPING = 15_000;

/**
 * Builds the server from its settings and opens its port. What was opened is closed again should
 * any of it fail.
 *
 * @throws SettingsError where the settings cannot work on this machine
 */
export async function startServer(config: Config, options: ServerOptions): Promise<RunningServer> {
  const { log, signal } = options;
  return closingOnFailure(log, (closers) => build(config, options, closers), signal);
}

async function build(
  config: Config,
  { log, clock = systemClock, watch = false, buildEngine, worker, signal }: ServerOptions,
  closers: Closer[],
): Promise<RunningServer> {
  await mkdir(config.dataDir, { recursive: true, mode: 0o700 });
  const metrics = createMetrics();
  const prepared = worker !== undefined;
  const stores = await openStores(config, { log, clock, metrics }, closers, {
    prepared,
    ...(signal && { signal }),
  });
  signal?.throwIfAborted();
  const { database, records, management, lengthy, limiter } = stores;

  const shippedModels = await loadShippedModels();
  // Until there is housekeeping, its first round will do.
  let sweepSoon = (): void => {};
  const current = createCurrentPolicy({
    database: stores.following,
    maxStaleness: config.maxStalenessMs,
    poll: config.pollMs,
    log,
    metrics,
    clock,
    ...(buildEngine && { buildEngine }),
    // Requests that a new policy leaves behind are cancelled as soon as it is in force.
    onSwap: () => sweepSoon(),
  });
  const spill = new Spill({
    folder: join(config.dataDir, 'audit-spill'),
    maxBytes: config.auditSpillMax,
    log,
    metrics,
    // Other processes see by it that this one runs, whatever time it decides by.
    clock: systemClock,
  });
  const audit = createAuditRecorder({
    database: records,
    mode: config.audit,
    log,
    metrics,
    clock,
    redactPaths: () => current.snapshot.settings.redact,
    spill,
  });
  metrics.watchPolicyAge(() => policyAge(current, clock));
  // Without them events are kept all the same, and moved when the recorder makes the partitions.
  await ensureAuditPartitions(management, clock.now()).catch((error: unknown) =>
    log.warn({ err: error }, 'the audit partitions could not be made ahead'),
  );
  closers.push(() => current.stop());
  await current.start();
  signal?.throwIfAborted();
  const watcher = await openWatcher(config.redisUrl, { stores, current, metrics, log }, closers);
  // What it comes to is counted; who is not told looks for itself.
  const onCommit = (revision: number) => void watcher.announce(revision);
  // Closed before what follows the policy: what was decided must be written, whatever else hangs.
  closers.push(() => audit.close());

  const policyInForce = () => approvalTerms(current.snapshot, clock);
  const approvals = createApprovalService({ database: records, audit, policyInForce });
  // What a check waits for has its own connections, and little time.
  const { find, spend } = createApprovalService({ database, audit });
  const policy = createPolicyService({
    database: management,
    lengthy,
    audit,
    current,
    onCommit,
    runTests: runBundleTests,
    shippedModels,
  });
  if (!prepared) await applyAtFirstStart(policy, config.policyDir, log);
  // Of servers that start together one applies it; none may answer from before.
  await current.catchUp();
  signal?.throwIfAborted();
  if (watch) closers.push(watchDirectory(policy, config.policyDir, log));
  const checks = createCheckService({
    database,
    audit,
    approvals: { ...approvals, find, spend },
    limiter,
    current,
    clock,
    metrics: decisionMetrics(metrics),
    describeError: (error, requestId) => {
      const known = answerable(error);
      logFailure(known, requestId, log);
      return problemOf(known, requestId);
    },
  });

  let draining = false;
  let leaving = false;
  const housekeeping = repeat(
    'housekeeping',
    HOUSEKEEPING,
    async () => {
      await approvals.sweep();
      await approvals.cancelChanged(policyInForce());
      await forgetOldAnswers(management);
    },
    log,
  );
  sweepSoon = () => housekeeping.soon();
  closers.push(() => housekeeping.stop());

  // A key that is ended counts as soon as the keys were read, whatever rules are being read meanwhile.
  const keysInForce = {
    get snapshot() {
      return current.snapshot;
    },
    catchUp: () => current.catchUpKeys(),
  };
  const bundleThread = createBundleThread({
    url: stores.url,
    connection: LENGTHY,
    log,
    takeUp: (revision) => policy.takeUp(revision),
  });
  closers.push(() => bundleThread.stop());
  const http = createApp({
    clock,
    log,
    metrics: { httpRequests: metrics.httpRequests, registry: shownMetrics(metrics, worker) },
    metricsPublic: config.metricsPublic,
    current,
    checks,
    policy,
    bundleThread,
    approvals,
    keys: createKeyService({ database: management, audit, current: keysInForce, onCommit, clock }),
    findEvents: (filter) => findEvents(lengthy, filter),
    health: createHealth({ stores, current, clock, spill }),
    draining: () => draining,
    parting: () => draining || leaving,
  });
  // Before anybody waits: the first governance rule of a kind would hold checks for a tenth of a second.
  await inTurns(compilingSchemas());
  const url = await listen(http, config.host, config.port);
  closers.push(() => closeGently(http, () => bundleThread.stop()));
  if (!prepared) closers.push(await nameServer(config.dataDir, url));

  const drain = (): void => {
    draining = true;
  };
  return {
    url,
    http,
    policy,
    metrics: metrics.registry,
    failed: stores.failed,
    drain,
    leave: () => {
      leaving = true;
      stopListening(http);
    },
    stop: () => closeAll(closers),
  };
}

/** What `GET /metrics` shows: of a worker, what all of them have counted. */
function shownMetrics(
  { registry }: Metrics,
  worker: WorkerPart | undefined,
): Services['metrics']['registry'] {
  if (worker === undefined) return registry;
  return { contentType: registry.contentType, metrics: () => worker.allMetrics() };
}

function decisionMetrics(metrics: Metrics): DecisionMetrics {
  return {
    decided({ decision, reason }, seconds) {
      metrics.decisions.inc(decision, reason);
      metrics.checkSeconds.observe(seconds);
      if (reason === 'evaluation_error') metrics.evaluationErrors.inc();
    },
  };
}
