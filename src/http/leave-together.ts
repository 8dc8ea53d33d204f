import type { ServerResponse } from 'node:http';

/** As many answers wait for each other, at most: the first of them waits for the rest. */
const AT_MOST = 32;

interface Leaving {
  readonly response: ServerResponse;
  readonly content: string | undefined;
  readonly encoding: BufferEncoding;
}

let leaving: Leaving[] = [];

/**
 * Ends a response as soon as the requests that arrived along with its own were read. To send wakes
 * whoever waits at the other end, which costs about as much as to decide; answers that leave one after
 * another find it awake.
 */
export function endTogether(
  response: ServerResponse,
  content: string | undefined,
  encoding: BufferEncoding,
): void {
  if (leaving.length === 0) setImmediate(endAll);
  leaving.push({ response, content, encoding });
  if (leaving.length === AT_MOST) endAll();
}

function endAll(): void {
  const all = leaving;
  leaving = [];
  for (const { response, content, encoding } of all) response.end(content, encoding);
}
