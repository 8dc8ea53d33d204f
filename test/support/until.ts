import { setTimeout as delay } from 'node:timers/promises';

/** Asks again and again until the answer will do, and gives it; the test's own time is the bound. */
export async function until<Answer>(
  ask: () => Promise<Answer>,
  willDo: (answer: Answer) => boolean,
): Promise<Answer> {
  for (;;) {
    const answer = await ask();
    if (willDo(answer)) return answer;
    await delay(20);
  }
}
