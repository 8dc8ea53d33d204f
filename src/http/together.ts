import type { ServerResponse } from 'node:http';

/** As many requests, and as many answers, wait for each other at most: the first waits for the rest. */
const AT_MOST = 32;

interface LargeWork {
  readonly room: RoomFor;
  work(): void;
}

/** Undefined where there is room for what a request leaves behind; else resolves once there is. */
export type RoomFor = () => Promise<void> | undefined;

interface Leaving {
  readonly response: ServerResponse;
  readonly content: string | undefined;
  readonly encoding: BufferEncoding;
}

let arrived: (() => void)[] = [];
let large: LargeWork[] = [];
let leaving: Leaving[] = [];
let isDue = false;
/** Whether all that was made to leave is about to. */
let isWorking = false;

/**
 * Works on a request as soon as those that arrived along with it were read, one after the other. What a
 * decision runs through is then in the processor's caches for all but the first; between two requests
 * that are read it would have been driven out by node and the operating system.
 */
export function workTogether(work: () => void): void {
  arrived.push(work);
  if (arrived.length === AT_MOST) workAll();
  else becomeDue();
}

/**
 * Works on a request of many parts in a turn of its own, as soon as there is room: what the one before it
 * took is garbage by then, small ones come in between, and one that would only wait is bytes until then.
 */
export function workAlone(work: () => void, room: RoomFor): void {
  if (large.push({ work, room }) === 1) setImmediate(workOnLarge);
}

function workOnLarge(): void {
  const [first, ...others] = large;
  const room = first?.room();
  if (room !== undefined) {
    void room.finally(() => setImmediate(workOnLarge)).catch(() => undefined);
    return;
  }
  large = others;
  if (large.length > 0) setImmediate(workOnLarge);
  first?.work();
}

/**
 * Ends a response along with the others of its turn. To send wakes whoever waits at the other end, which
 * costs about as much as to decide; answers that leave one after another find it awake.
 */
export function endTogether(
  response: ServerResponse,
  content: string | undefined,
  encoding: BufferEncoding,
): void {
  leaving.push({ response, content, encoding });
  if (leaving.length === AT_MOST) endAll();
  else if (!isWorking) becomeDue();
}

function becomeDue(): void {
  if (isDue) return;
  isDue = true;
  setImmediate(() => {
    isDue = false;
    isWorking = true;
    try {
      workAll();
    } finally {
      isWorking = false;
      endAll();
    }
  });
}

/** Work that throws, which it should not, keeps nobody else's from being done. */
function workAll(): void {
  const all = arrived;
  arrived = [];
  let next = 0;
  try {
    while (next < all.length) all[next++]?.();
  } finally {
    for (const work of all.slice(next)) workTogether(work);
  }
}

function endAll(): void {
  const all = leaving;
  leaving = [];
  for (const { response, content, encoding } of all) response.end(content, encoding);
}
