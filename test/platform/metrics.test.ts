import assert from 'node:assert/strict';
import { createMetrics } from '../../src/platform/metrics.js';

describe('the metrics', () => {
  it('show decisions by outcome and reason, and the lag of the event loop', async () => {
    const metrics = createMetrics();
    metrics.decisions.inc('deny', 'rate_limited');
    const text = await metrics.registry.metrics();
    assert.match(text, /^countersign_decisions_total{decision="deny",reason="rate_limited"} 1$/m);
    assert.match(text, /^nodejs_eventloop_lag_p99_seconds \S+$/m);
  });

  it('count a check in the bucket of its time', async () => {
    const metrics = createMetrics();
    metrics.checkSeconds.observe(0.003);
    const text = await metrics.registry.metrics();
    assert.match(text, /^countersign_check_seconds_bucket{le="0.0025"} 0$/m);
    assert.match(text, /^countersign_check_seconds_bucket{le="0.005"} 1$/m);
  });

  it('of two servers in one process are apart', async () => {
    const [first, second] = [createMetrics(), createMetrics()];
    first.revision.set(7);
    assert.match(await second.registry.metrics(), /^countersign_revision 0$/m);
  });
});
