/**
 * Loads a server over HTTP and says what came back. A process of its own, started by `http-load.ts`:
 * it takes one job after another as messages, so that it is warm for each but the first.
 */
import { createHistogram } from 'node:perf_hooks';
import autocannon, { type Request, type Result } from 'autocannon';
import type { Target } from './servers/peer.js';

/** One measurement to take. */
export interface LoadJob {
  readonly target: Target;
  readonly connections: number;
  readonly seconds: number;
}

/** What was measured. */
export interface LoadResult {
  /** Good answers. */
  readonly requests: number;
  /** From the first answer to the last. */
  readonly seconds: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Answers that were errors, or not what was expected, and requests without any. */
  readonly bad: number;
  /** Share of one processor that the generator itself used: near 1, it is the generator that was measured. */
  readonly generatorBusy: number;
}

process.on('message', (job: LoadJob) => {
  void run(job).then((result) => process.send?.(result));
});

function run({ target, connections, seconds }: LoadJob): Promise<LoadResult> {
  const requests = bodiesOf(target, seconds).map((body): Request => {
    return { method: 'POST', path: target.path, headers: target.headers, body };
  });
  const latencies = createHistogram();
  let next = 0;
  let first = 0;
  let last = 0;
  const cpu = process.cpuUsage();
  const began = performance.now();
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, result: Result): void => {
      if (error !== null) return reject(error);
      const { user, system } = process.cpuUsage(cpu);
      resolve({
        requests: latencies.count - result.mismatches - result.non2xx,
        seconds: (last - first) / 1_000,
        p50: latencies.percentile(50) / 1_000,
        p99: latencies.percentile(99) / 1_000,
        bad: result.errors + result.timeouts + result.mismatches + result.non2xx,
        generatorBusy: (user + system) / 1_000 / (performance.now() - began),
      });
    };
    const instance = autocannon(
      {
        url: target.origin,
        connections,
        duration: seconds,
        sampleInt: 100,
        setupClient: (client) => {
          client.setRequests(requests.filter((_, index) => index % connections === next));
          next += 1;
        },
        verifyBody: (body) => occurrences(body, target.expect) === target.decisions,
      },
      done,
    );
    instance.on('response', (_client, _status, _bytes, milliseconds) => {
      last = performance.now();
      if (first === 0) first = last;
      latencies.record(Math.max(1, Math.round(milliseconds * 1_000)));
    });
  });
}

/** Requests a second that no server here answers more of, each with a body that is a new one. */
const MOST_NEW = 40_000;

let renumbered = 0;

function bodiesOf({ bodies, renumber }: Target, seconds: number): readonly string[] {
  if (renumber === undefined) return bodies;
  return Array.from({ length: Math.ceil(MOST_NEW * seconds) }, (_, index) => {
    renumbered += 1;
    return (bodies[index % bodies.length] ?? '').replace(renumber, String(1_000_000 + renumbered));
  });
}

function occurrences(text: string, part: string): number {
  let count = 0;
  for (let at = text.indexOf(part); at !== -1; at = text.indexOf(part, at + part.length))
    count += 1;
  return count;
}
