import { Agent, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

/** One answer over HTTP, and whether the connection ends with it. */
export interface Reply {
  readonly status: number;
  readonly isLast: boolean;
  readonly text: string;
}

/** Asks over the agent's connections; over one of its own, made for it, without an agent. */
export function ask(
  url: string,
  options: { readonly key: string; readonly body?: object; readonly agent?: Agent },
): Promise<Reply> {
  const { key, body, agent } = options;
  return new Promise((resolve, reject) => {
    const sent = request(
      url,
      {
        agent: agent ?? false,
        method: body === undefined ? 'GET' : 'POST',
        headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' },
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (part: string) => {
          text += part;
        });
        response.on('error', reject);
        response.on('end', () => {
          const isLast = response.headers.connection === 'close';
          resolve({ status: response.statusCode ?? 0, isLast, text });
        });
      },
    );
    sent.on('error', reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** Asks again after each 503, as a client does that a slow machine keeps waiting; says how often. */
export async function askUntilAnswered(
  ...asked: Parameters<typeof ask>
): Promise<Reply & { readonly refusals: number }> {
  for (let refusals = 0; ; refusals += 1) {
    const reply = await ask(...asked);
    if (reply.status !== 503) return { ...reply, refusals };
    await delay(100);
  }
}

/** Requests without a pause over connections that are used again for as long as the server lets them. */
export interface Load {
  /** Answers so far. */
  readonly answered: number;
  /** Those that were not what was expected, as they were read. */
  readonly wrong: readonly string[];
  /** Requests without an answer, by the code of the error. */
  readonly failed: readonly string[];
  /** Resolves when there are so many more answers. */
  more(count: number): Promise<void>;
  /** Resolves when the last request is over. */
  stop(): Promise<void>;
}

/** Puts a check again and again over so many connections; right is an answer that is allowed. */
export function startLoad(
  url: string,
  options: { readonly key: string; readonly body: object; readonly connections: number },
): Load {
  const { key, body, connections } = options;
  const state = { answered: 0, wrong: [] as string[], failed: [] as string[] };
  const waiting = new Set<{ readonly from: number; done(): void }>();
  let stopped = false;
  const keepAsking = async (): Promise<void> => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    while (!stopped) {
      try {
        const { status, text } = await ask(`${url}/check`, { key, body, agent });
        state.answered += 1;
        if (status !== 200 || !text.includes('"allowed":true')) state.wrong.push(text);
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException;
        state.failed.push(code ?? message);
      }
      for (const one of waiting) if (state.answered >= one.from) one.done();
    }
    agent.destroy();
  };
  const running = Promise.all(Array.from({ length: connections }, keepAsking));
  return {
    get answered() {
      return state.answered;
    },
    wrong: state.wrong,
    failed: state.failed,
    more: (count) =>
      new Promise((resolve) => {
        const one = {
          from: state.answered + count,
          done: () => {
            waiting.delete(one);
            resolve();
          },
        };
        waiting.add(one);
      }),
    stop: async () => {
      stopped = true;
      await running;
    },
  };
}
