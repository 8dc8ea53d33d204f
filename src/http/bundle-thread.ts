import { getHeapStatistics } from 'node:v8';
import { Worker } from 'node:worker_threads';
import { PayloadTooLarge, Unavailable } from '../errors.js';
import { createChangeQueue } from '../policy/change-queue.js';
import type {
  BundleCall,
  BundleThread,
  BundleThreadData,
  BundleThreadMessage,
  ThreadConnection,
} from './bundle-call.js';
import type { Answer } from './route.js';
import type { HttpLog } from './services.js';

/** What it takes to run threads for bundles. */
export interface BundleThreadOptions {
  readonly url: string;
  readonly connection: ThreadConnection;
  readonly log: HttpLog;
  /** Told of the revision of a bundle that was committed; answered once this server decides by it. */
  takeUp(revision: number): Promise<void>;
  /** Mebibytes of heap that a thread may fill; as many as the server itself unless given. */
  readonly heap?: number;
}

/** Calls that may be here at a time, with their bodies: one runs, the others wait. */
const MAX_CALLS = 4;

/** Milliseconds that a call waits for those before it. */
const PATIENCE = 60_000;

/** Milliseconds after which a thread is ended: less than its route takes to answer. */
const THREAD_TIME = 170_000;

/**
 * Answers each call in a thread of its own, one after the other: what a bundle took is given back with
 * its thread, and a bundle that takes too much ends that alone.
 */
export function createBundleThread(options: BundleThreadOptions): BundleThread {
  const inQueue = createChangeQueue();
  const stopping = new AbortController();
  let calls = 0;
  let running: Worker | undefined;
  return {
    async answer(call) {
      if (calls >= MAX_CALLS) throw new Unavailable('too many large bundles at once; try again');
      calls += 1;
      try {
        const work = async (): Promise<Answer> => {
          if (stopping.signal.aborted) throw new Unavailable('the server stops; try another');
          running = begin(options, call);
          try {
            return await answerOf(running, options);
          } finally {
            await running.terminate();
            running = undefined;
          }
        };
        return await inQueue(work, { patience: PATIENCE });
      } finally {
        calls -= 1;
      }
    },
    async stop() {
      stopping.abort();
      await running?.terminate();
    },
  };
}

function begin({ url, connection, heap = serverHeap() }: BundleThreadOptions, call: BundleCall) {
  // As TypeScript in development.
  const entry = import.meta.url.replace(/bundle-thread\.(?=[jt]s$)/, 'bundle-thread-entry.');
  const workerData: BundleThreadData = { url, connection, call };
  return new Worker(new URL(entry), {
    name: 'bundle',
    workerData,
    transferList: call.body?.map(({ buffer }) => buffer) ?? [],
    resourceLimits: { maxOldGenerationSizeMb: heap },
  });
}

function serverHeap(): number {
  return Math.floor(getHeapStatistics().heap_size_limit / 1024 / 1024);
}

/** What the thread answers; rejects where it ends without. */
async function answerOf(thread: Worker, options: BundleThreadOptions): Promise<Answer> {
  const { log, takeUp, heap = serverHeap() } = options;
  let committed: number | undefined;
  const answer = await new Promise<Answer>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Unavailable(TOO_LATE)), THREAD_TIME);
    thread.on('message', (message: BundleThreadMessage) => {
      if ('log' in message) log[message.log](message.members, message.message);
      else if ('committed' in message) ({ committed } = message);
      else resolve(message.answer);
    });
    thread.on('error', (error) => reject(isOutOfMemory(error) ? tooMuch(heap) : error));
    thread.on('exit', () => {
      clearTimeout(timer);
      reject(new Unavailable(ENDED));
    });
  }).catch(async (error: unknown) => {
    // Whatever became of the answer, the bundle is in force.
    if (committed !== undefined) await takeUp(committed);
    throw error;
  });
  if (committed !== undefined) await takeUp(committed);
  return answer;
}

const TOO_LATE =
  'the bundle was not done in time, and was given up: look whether it is active before you try again';
const ENDED = 'what read the bundle was ended: look whether it is active before you try again';

function isOutOfMemory(error: unknown): boolean {
  return error instanceof Error && Reflect.get(error, 'code') === 'ERR_WORKER_OUT_OF_MEMORY';
}

function tooMuch(heap: number): PayloadTooLarge {
  return new PayloadTooLarge(
    `the bundle takes more than the ${heap} MiB of memory that the server may fill; apply fewer rules, or start the server with more (\`NODE_OPTIONS=--max-old-space-size=\`)`,
  );
}
