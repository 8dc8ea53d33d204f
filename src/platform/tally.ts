import { Counter, type Histogram, type Registry } from 'prom-client';

/** What a metric is called, and what it says. */
interface Terms {
  readonly name: string;
  readonly help: string;
  readonly registers: readonly Registry[];
}

interface Count {
  value: number;
}

/** By the first label's value what is counted by those that follow; by the last one's, the count. */
type Branch = Map<string, Branch | Count>;

/**
 * A counter by words, for what is counted at every request: prom-client builds, checks and hashes an
 * object of labels each time, this looks up the words one after another. prom-client is told when it
 * is scraped.
 */
export class Tally<const Labels extends readonly string[]> {
  readonly #root: Branch = new Map();

  constructor({ name, help, registers }: Terms, labelNames: Labels) {
    const root = this.#root;
    const counter = new Counter<string>({
      name,
      help,
      labelNames,
      registers: [],
      collect() {
        this.reset();
        for (const [labels, value] of countsIn(root)) this.labels(...labels).inc(value);
      },
    });
    for (const registry of registers) registry.registerMetric(counter);
  }

  /** Counts one; the values of the labels in the order of their names, few in number by nature. */
  inc(...values: { readonly [Label in keyof Labels]: string }): void {
    let place: Branch | Count = this.#root;
    for (let depth = 0; depth < values.length; depth += 1) {
      const value = values[depth] ?? '';
      if (!(place instanceof Map)) break;
      let next = place.get(value);
      if (next === undefined) {
        next = depth === values.length - 1 ? { value: 0 } : new Map();
        place.set(value, next);
      }
      place = next;
    }
    if (!(place instanceof Map)) place.value += 1;
  }
}

function* countsIn(branch: Branch, above: readonly string[] = []): Generator<[string[], number]> {
  for (const [value, below] of branch) {
    if (below instanceof Map) yield* countsIn(below, [...above, value]);
    else yield [[...above, value], below.value];
  }
}

/** A histogram without labels, for what is timed at every request; otherwise as prom-client's. */
export class Timings {
  readonly #bounds: readonly number[];
  /** One more than there are bounds: the last one counts what is above them all. */
  readonly #counts: number[];
  #sum = 0;

  /** `buckets` are upper bounds, ascending. */
  constructor({ name, help, registers }: Terms, buckets: readonly number[]) {
    this.#bounds = buckets;
    this.#counts = [...buckets, Number.POSITIVE_INFINITY].map(() => 0);
    const metric = {
      name,
      help,
      type: 'histogram',
      aggregator: 'sum',
      get: async () => ({
        name,
        help,
        type: 'histogram',
        aggregator: 'sum',
        values: this.#values(name),
      }),
    };
    // A registry asks a metric for its name and for `get()`, and for nothing else.
    for (const registry of registers) registry.registerMetric(metric as unknown as Histogram);
  }

  /** Counts a value in. */
  observe(value: number): void {
    let bucket = 0;
    while (value > (this.#bounds[bucket] ?? Number.POSITIVE_INFINITY)) bucket += 1;
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#sum += value;
  }

  #values(name: string): object[] {
    let count = 0;
    const buckets = this.#counts.map((own, index) => {
      count += own;
      const labels = { le: this.#bounds[index] ?? '+Inf' };
      return { labels, value: count, metricName: `${name}_bucket` };
    });
    return [
      ...buckets,
      { labels: {}, value: this.#sum, metricName: `${name}_sum` },
      { labels: {}, value: count, metricName: `${name}_count` },
    ];
  }
}
