import type { ServerResponse } from 'node:http';

/** As many requests, and as many answers, wait for each other at most: the first waits for the rest. */
const AT_MOST = 32;

/** Bytes of large requests that wait for their turn at most. */
const WAITING_BYTES = 64 * 1024 * 1024;

/**
 * Undefined where there is room for what a request leaves behind; else resolves, before long, when it may
 * begin all the same.
 */
export type RoomFor = () => Promise<void> | undefined;

/** A request of many parts that waits for its turn. */
export interface LargeWork {
  /** Bytes that it holds until then. */
  readonly size: number;
  readonly room: RoomFor;
  /** Whether its caller is still there. */
  isWanted(): boolean;
  work(): void;
}

interface Leaving {
  readonly response: ServerResponse;
  readonly content: string | undefined;
  readonly encoding: BufferEncoding;
}

let arrived: (() => void)[] = [];
let large: LargeWork[] = [];
/** Whether one of them has its turn, waits for room, or is due. */
let isOnLarge = false;
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
 * Works on a request of many parts in a turn of its own, once there is room: what the one before it took is
 * garbage by then, small ones come in between, and one that would only wait is bytes until then. One that
 * nobody wants any more is forgotten. False where too much waits already.
 */
export function workAlone(next: LargeWork): boolean {
  large = large.filter((waiting) => waiting.isWanted());
  const waiting = large.reduce((bytes, { size }) => bytes + size, 0);
  if (waiting + next.size > WAITING_BYTES) return false;
  large.push(next);
  if (!isOnLarge) setImmediate(workOnLarge);
  isOnLarge = true;
  return true;
}

function workOnLarge(): void {
  const room = nextLarge()?.room();
  // Asked once: whoever adds little may go on filling the room for ever.
  if (room === undefined) workOnOne();
  else void room.catch(() => undefined).then(() => setImmediate(workOnOne));
}

function workOnOne(): void {
  const first = nextLarge();
  large.shift();
  isOnLarge = large.length > 0;
  if (isOnLarge) setImmediate(workOnLarge);
  first?.work();
}

/** The one that has waited longest, and is still wanted. */
function nextLarge(): LargeWork | undefined {
  large = large.filter((waiting) => waiting.isWanted());
  return large[0];
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
