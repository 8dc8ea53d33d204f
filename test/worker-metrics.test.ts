import assert from 'node:assert/strict';
import { createMetrics } from '../src/platform/metrics.js';
import { createCrewMetrics, reportOf, WorkerReports } from '../src/worker-metrics.js';

/** Metrics of a worker that has decided so often, and is at this revision. */
function workerMetrics(decisions: number, revision: number) {
  const metrics = createMetrics();
  for (let count = 0; count < decisions; count += 1) {
    metrics.decisions.inc('allow', 'allowed');
    metrics.checkSeconds.observe(0.003);
  }
  metrics.revision.set(revision);
  metrics.engineRules.set(43);
  metrics.watchAuditPending(() => decisions);
  return metrics;
}

const DECISIONS = /^countersign_decisions_total{decision="allow",reason="allowed"} (\d+)$/m;

describe('the metrics of workers', () => {
  let reports: WorkerReports;
  const text = (...fresh: number[]) => reports.text(new Set(fresh), []);
  const decisions = async (...fresh: number[]) => DECISIONS.exec(await text(...fresh))?.[1];

  beforeEach(async () => {
    reports = new WorkerReports();
    reports.take(1, await reportOf(workerMetrics(3, 8).registry));
    reports.take(2, await reportOf(workerMetrics(4, 7).registry));
  });

  it('are their sums, and of what all have alike one value', async () => {
    const shown = await text(1, 2);
    assert.equal(DECISIONS.exec(shown)?.[1], '7');
    assert.match(shown, /^countersign_check_seconds_bucket{le="0.0025"} 0$/m);
    assert.match(shown, /^countersign_check_seconds_bucket{le="0.005"} 7$/m);
    assert.match(shown, /^countersign_check_seconds_count 7$/m);
    assert.match(shown, /^countersign_revision 7$/m);
    assert.match(shown, /^countersign_engine_rules 43$/m);
    assert.match(shown, /^countersign_audit_pending 7$/m);
    assert.match(shown, /^process_start_time_seconds \d+$/m);
    assert.doesNotMatch(shown, /NaN/);
  });

  it('count on what a worker had counted when it ended, and on nothing else of it', async () => {
    reports.end(2);
    reports.take(3, await reportOf(workerMetrics(10, 9).registry));
    const shown = await text(1, 3);
    assert.equal(DECISIONS.exec(shown)?.[1], '17');
    assert.match(shown, /^countersign_check_seconds_bucket{le="0.005"} 17$/m);
    assert.match(shown, /^countersign_revision 8$/m);
    assert.match(shown, /^countersign_audit_pending 13$/m);
    reports.end(3);
    reports.end(1);
    assert.equal(await decisions(), '17');
  });

  it('take a report in place of the former one', async () => {
    reports.take(1, await reportOf(workerMetrics(5, 8).registry));
    assert.equal(await decisions(1, 2), '9');
  });

  it('leave out a worker that does not report, but for its last counters', async () => {
    const shown = await text(1);
    assert.equal(DECISIONS.exec(shown)?.[1], '7');
    assert.match(shown, /^countersign_revision 8$/m);
    assert.match(shown, /^countersign_audit_pending 3$/m);
  });

  it('have those of the primary beside them, and nothing of its own event loop', async () => {
    const crew = createCrewMetrics();
    crew.deaths.inc(2);
    const shown = await reports.text(new Set([1, 2]), await reportOf(crew.registry));
    assert.match(shown, /^countersign_worker_deaths_total 2$/m);
    const own = await crew.registry.metrics();
    assert.match(own, /^process_cpu_seconds_total /m);
    assert.doesNotMatch(own, /nodejs_/);
  });
});
