import type { BareAnswer } from './bare-server.js';
import type { Peer, Target } from './peer.js';
import { startProcess } from './process.js';

const MAIN = new URL('./bare-server.ts', import.meta.url).pathname;
const TSX = import.meta.resolve('tsx/esm');

/** Headers that Node writes by itself, in the bare server as in any other. */
const OF_NODE = new Set(['content-length', 'connection', 'date', 'keep-alive']);

/** Starts the bare server: asked what `model` is asked, it gives an answer that `model` gave. */
export async function startBare(model: Target, workers = 1): Promise<Peer> {
  const server = await startProcess({
    command: process.execPath,
    args: ['--import', TSX, MAIN],
    env: {
      BARE_ANSWER: JSON.stringify(await answerOf(model)),
      BARE_WORKERS: String(workers),
    },
    says: /^listening on (http:\/\/\S+)$/,
  });
  return {
    name: 'bare node:http',
    pid: server.pid,
    target: { ...model, origin: server.said },
    stop: () => server.stop(),
  };
}

async function answerOf({ origin, path, headers, bodies }: Target): Promise<BareAnswer> {
  const answer = await fetch(`${origin}${path}`, {
    method: 'POST',
    headers,
    body: bodies[0] ?? '',
  });
  return {
    headers: Object.fromEntries([...answer.headers].filter(([name]) => !OF_NODE.has(name))),
    text: await answer.text(),
  };
}
