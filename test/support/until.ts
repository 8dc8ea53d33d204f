import { setTimeout as delay } from 'node:timers/promises';

/** What is being waited for, as it is written, and what was answered last. */
interface Wait {
  readonly wanted: string;
  last?: unknown;
}

/** The waits of the test that runs. */
const waits = new Set<Wait>();

/** Asks again and again until the answer will do, and gives it; the test's own time is the bound. */
export async function until<Answer>(
  ask: () => Promise<Answer>,
  willDo: (answer: Answer) => boolean,
): Promise<Answer> {
  const wait: Wait = { wanted: willDo.toString() };
  waits.add(wait);
  try {
    while (waits.has(wait)) {
      const answer = await ask();
      if (willDo(answer)) return answer;
      wait.last = answer;
      await delay(20);
    }
  } finally {
    waits.delete(wait);
  }
  throw new Error(`waited in vain for ${wait.wanted}`);
}

/** What mocha runs after each test: one that failed says what it waited for, and waits no more. */
export const mochaHooks: Mocha.RootHookObject = {
  afterEach(this: Mocha.Context) {
    if (this.currentTest?.state !== 'failed') return;
    for (const { wanted, last } of waits) {
      process.stderr.write(`waited for ${wanted}; the last answer: ${JSON.stringify(last)}\n`);
    }
    waits.clear();
  },
};
