/**
 * Reads the policy out of a database as a server does, says what that took, and adds a few rules. A
 * process of its own, started with `--expose-gc` by `suites/load.ts`, so that the memory is its alone.
 *
 *   node --expose-gc --import tsx/esm bench/load-probe.ts DATABASE_URL CHECKOUT
 */
import { createHistogram } from 'node:perf_hooks';
import { built } from './checkout.js';

/** What it took; written as one line of JSON. */
export interface Load {
  readonly rules: number;
  /** From the first query to a snapshot that decides, in a process that has just started. */
  readonly milliseconds: number;
  /**
   * How long the event loop was held, in milliseconds, at each turn of a timer of 1 ms, while the same
   * process read all of it again: what a running server is held by.
   */
  readonly heldP99: number;
  readonly heldMost: number;
  /** Bytes more than before, after garbage was collected. */
  readonly heap: number;
  readonly resident: number;
  /** Milliseconds from the commit of a rule until the process decides by it, for each rule added. */
  readonly added: readonly number[];
}

/** Rules added, and some before them that are not timed. */
const ADDED = 20;
const UNTIMED = 5;

const [url = '', checkout = ''] = process.argv.slice(2);
const { connectDatabase } = await built('platform/database', checkout);
const { createCurrentPolicy } = await built('policy/current-policy', checkout);
const { createPolicyService } = await built('policy/policy-service', checkout);
const { createAuditRecorder } = await built('audit/recorder', checkout);

const { database, close } = connectDatabase(url);
const fail = (members: object): void => void process.stderr.write(`${JSON.stringify(members)}\n`);
const log = { info: () => {}, warn: fail, error: fail };
const holder = () => createCurrentPolicy({ database, log });

const before = await memory();
const began = performance.now();
const current = holder();
await current.start();
decides('user-0', 'area-0/1');
const milliseconds = performance.now() - began;
const after = await memory();

const held = watchEventLoop();
const again = holder();
await again.start();
// What held the loop last shows in the turn after.
await nextTurn();
const loop = held();
await again.stop();

const added = await addRules();
const load: Load = {
  rules: current.snapshot.engine.size,
  milliseconds,
  ...loop,
  heap: after.heap - before.heap,
  resident: after.resident - before.resident,
  added,
};
process.stdout.write(`${JSON.stringify(load)}\n`);
await current.stop();
await close();

/** Whether the policy in force allows a subject of the first tenant to read a document. */
function decides(subject: string, document: string): boolean {
  const answer = current.snapshot.engine.decide({
    tenant: 'tenant-0',
    subject: { type: 'user', id: subject, properties: {} },
    action: { name: 'read', properties: {} },
    resource: { type: 'document', id: document, properties: {} },
    context: {},
  });
  return answer.effect === 'allow';
}

async function addRules(): Promise<number[]> {
  const clock = { now: () => Date.now() };
  let committed = 0;
  const policy = createPolicyService({
    database,
    current,
    audit: createAuditRecorder({ database, mode: 'off', log, clock }),
    shippedModels: new Map(),
    runTests: async () => ({ faults: [], parts: [] }),
    onCommit: () => void (committed = performance.now()),
  });
  const times: number[] = [];
  for (let index = 0; index < UNTIMED + ADDED; index += 1) {
    const subject = `probe-${process.pid}-${index}`;
    const line = ['p', subject, 'tenant-0', 'document:probe', 'read', 'allow'] as const;
    await policy.changeRules({ add: [line], remove: [], actor: 'bench' });
    if (!decides(subject, 'probe')) throw new Error(`${subject} is not allowed by its rule`);
    times.push(performance.now() - committed);
  }
  return times.slice(UNTIMED);
}

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
