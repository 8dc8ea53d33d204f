/**
 * Reads the policy out of a database as a server does when it starts, and says what that took. A
 * process of its own, started with `--expose-gc` by `suites/load.ts`, so that the memory is its alone.
 *
 *   node --expose-gc --import tsx/esm bench/load-probe.ts DATABASE_URL CHECKOUT
 */
import { createHistogram } from 'node:perf_hooks';
import { built } from './checkout.js';

/** What it took; written as one line of JSON. */
export interface Load {
  readonly rules: number;
  /** From the first query to a snapshot that decides. */
  readonly milliseconds: number;
  /** How long the event loop was held, in milliseconds, at each turn of a timer of 1 ms. */
  readonly heldP99: number;
  readonly heldMost: number;
  /** Bytes more than before, after garbage was collected. */
  readonly heap: number;
  readonly resident: number;
}

const [url = '', checkout = ''] = process.argv.slice(2);
const { connectDatabase } = await built('platform/database', checkout);
const { createCurrentPolicy } = await built('policy/current-policy', checkout);

const { database, close } = connectDatabase(url);
const fail = (members: object): void => void process.stderr.write(`${JSON.stringify(members)}\n`);
const current = createCurrentPolicy({ database, log: { info: () => {}, error: fail } });

const before = await memory();
const held = watchEventLoop();
const began = performance.now();
await current.start();
const { engine } = current.snapshot;
engine.decide({
  tenant: 'tenant-0',
  subject: { type: 'user', id: 'user-0', properties: {} },
  action: { name: 'read', properties: {} },
  resource: { type: 'document', id: 'area-0/1', properties: {} },
  context: {},
});
const milliseconds = performance.now() - began;
// What held the loop last shows in the turn after.
await nextTurn();
const loop = held();
const after = await memory();
const load: Load = {
  rules: engine.size,
  milliseconds,
  ...loop,
  heap: after.heap - before.heap,
  resident: after.resident - before.resident,
};
process.stdout.write(`${JSON.stringify(load)}\n`);
await current.stop();
await close();

/** Records, until it is called again, by how much a timer of 1 ms comes late. */
function watchEventLoop(): () => Pick<Load, 'heldP99' | 'heldMost'> {
  const histogram = createHistogram();
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    histogram.record(Math.max(1, Math.round((now - last - 1) * 1_000)));
    last = now;
  }, 1);
  return () => {
    clearInterval(timer);
    return { heldP99: histogram.percentile(99) / 1_000, heldMost: histogram.max / 1_000 };
  };
}

async function memory() {
  for (let times = 0; times < 3; times += 1) {
    globalThis.gc?.();
    await nextTurn();
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heap: heapUsed + external, resident: rss };
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, 20));
}
