import { parentPort, workerData } from 'node:worker_threads';
import { writeEvents } from '../audit/recorder.js';
import { runBundleTests } from '../decision/bundle-tests.js';
import { systemClock } from '../platform/clock.js';
import { connectDatabase, type Database } from '../platform/database.js';
import { stepBack } from '../platform/step-back.js';
import { createPolicyService } from '../policy/policy-service.js';
import { emptySnapshot } from '../policy/snapshot.js';
import { loadShippedModels } from '../policy/shipped-models.js';
import { parsePlainObject } from '../platform/json.js';
import { textOf } from './body.js';
import type { BundleCall, BundleThreadData, BundleThreadMessage } from './bundle-call.js';
import { bundleRoutes } from './bundles.js';
import { answerable, logFailure, problemHeaders, problemOf } from './problem.js';
import type { GuardedRoute } from './route.js';
import type { HttpLog } from './services.js';

/** What a thread answers a call with: the same that the route would answer. */
type ThreadAnswer = Extract<BundleThreadMessage, { answer: object }>['answer'];

function tell(message: BundleThreadMessage, transfer: readonly ArrayBuffer[] = []): void {
  parentPort?.postMessage(message, transfer);
}

const log: HttpLog = {
  isLevelEnabled: () => false,
  debug: () => undefined,
  info: (members, message) => tell({ log: 'info', members, message }),
  warn: (members, message) => tell({ log: 'warn', members, message }),
  error: (members, message) => tell({ log: 'error', members, message }),
};

/** The routes, on a connection of this thread's own; the server takes up what is committed here. */
async function routesOn(database: Database): Promise<GuardedRoute[]> {
  const policy = createPolicyService({
    database,
    audit: {
      write: (transaction, ...events) => writeEvents(transaction, systemClock.now(), ...events),
    },
    current: { catchUp: async () => emptySnapshot },
    onCommit: (committed) => tell({ committed }),
    runTests: runBundleTests,
    shippedModels: await loadShippedModels(),
  });
  return bundleRoutes({ policy }).filter((route) => route.access === 'caller');
}

async function answerOf(database: Database, call: BundleCall): Promise<ThreadAnswer> {
  const { method, path, params, caller, requestId, body } = call;
  try {
    const routes = await routesOn(database);
    const route = routes.find((each) => each.method === method && each.path === path);
    if (route === undefined) throw new TypeError(`there is no route ${method} ${path}`);
    const sent = body === undefined ? {} : parsePlainObject(textOf(Buffer.concat(body)));
    const answer = await route.handle({
      requestId,
      ip: undefined,
      params,
      idempotencyKey: undefined,
      caller,
      query: {},
      body: route.body?.parse(sent),
    });
    return { status: answer.status, headers: answer.headers ?? {}, bytes: bytesOf(answer.body) };
  } catch (error) {
    const known = answerable(error);
    logFailure(known, requestId, log);
    return {
      status: known.status,
      headers: { ...problemHeaders(known), 'Content-Type': 'application/problem+json' },
      bytes: bytesOf(problemOf(known, requestId)),
    };
  }
}

/** JSON in memory of its own, which can go over to the server. */
function bytesOf(value: object | undefined): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(value ?? {}));
}

stepBack();
const { url, connection, call } = workerData as BundleThreadData;
const { database, close } = connectDatabase(url, { ...connection, max: 1 });
const answer = await answerOf(database, call);
await close();
tell({ answer }, [answer.bytes.buffer as ArrayBuffer]);
