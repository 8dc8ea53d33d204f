import {
  AggregatorRegistry,
  collectDefaultMetrics,
  Counter,
  Gauge,
  type MetricObjectWithValues,
  type MetricValue,
  Registry,
} from 'prom-client';

/** What one process has counted, as prom-client writes it down. */
export type Report = readonly MetricObjectWithValues<MetricValue<string>>[];

/** Metrics of a process that outlive it: what it has counted was counted. */
const LASTING = new Set<string>(['counter', 'histogram']);

/** Reads a registry; values that are no numbers (of what was not measured yet) are left out. */
export async function reportOf(registry: Registry): Promise<Report> {
  const metrics = await registry.getMetricsAsJSON();
  return metrics.map((metric) => ({
    ...metric,
    // prom-client leaves out when a process began; a server began with the first of its processes.
    aggregator: metric.aggregator === 'omit' ? 'min' : metric.aggregator,
    values: metric.values.filter(({ value }) => Number.isFinite(value)),
  }));
}

/**
 * Adds up what the workers of a server report: counters and histograms are summed, gauges as each
 * says. A counter never falls: what a worker last reported goes on counting when the worker has ended,
 * and while it does not answer.
 */
export class WorkerReports {
  readonly #latest = new Map<number, Report>();
  #ended: Report = [];

  /** Takes a worker's report in place of its former one. */
  take(worker: number, report: Report): void {
    this.#latest.set(worker, report);
  }

  /** The worker has ended: only what it counted lasts. */
  end(worker: number): void {
    const report = this.#latest.get(worker);
    if (report === undefined) return;
    this.#latest.delete(worker);
    const sum = AggregatorRegistry.aggregate([this.#ended, lastingOf(report)]);
    // What it was made of: each with its values, as reports have them.
    this.#ended = sum.getMetricsAsArray() as unknown as Report;
  }

  /** The sum as Prometheus text: the `fresh` workers whole, of others what lasts, and `own`. */
  async text(fresh: ReadonlySet<number>, own: Report): Promise<string> {
    const reports = [...this.#latest].map(([worker, report]) =>
      fresh.has(worker) ? report : lastingOf(report),
    );
    return AggregatorRegistry.aggregate([...reports, own, this.#ended]).metrics();
  }
}

function lastingOf(report: Report): Report {
  return report.filter(({ type }) => LASTING.has(String(type)));
}

/** What the primary itself counts. */
export type CrewMetrics = ReturnType<typeof createCrewMetrics>;

/** Makes the metrics of a primary: of its workers, and of its own process. */
export function createCrewMetrics() {
  const own = new Registry();
  collectDefaultMetrics({ register: own });
  // It decides nothing: its event loop and heap would only water down those of the workers.
  for (const { name } of own.getMetricsAsArray()) {
    if (!name.startsWith('process_')) own.removeSingleMetric(name);
  }
  const registers = [own];
  return {
    registry: own,
    answering: new Gauge({
      name: 'countersign_workers',
      help: 'Workers that answer',
      registers,
    }),
    deaths: new Counter({
      name: 'countersign_worker_deaths_total',
      help: 'Workers that ended without having been asked to; others take their place',
      registers,
    }),
    silences: new Counter({
      name: 'countersign_worker_silences_total',
      help: 'Times that a worker did not report its metrics in time; its last counters stand in',
      registers,
    }),
  };
}
