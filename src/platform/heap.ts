import { setFlagsFromString } from 'node:v8';

/**
 * Tells V8 to have every object begin in the young generation. Left to itself it may decide, once a
 * large batch was in flight during a collection, that what decisions are made of lives long, and from
 * then on puts it where only a full collection finds it dead: measured, a decision of a batch then
 * costs 12 µs instead of 7, for as long as the process runs. Allocated otherwise, nothing changes.
 */
export function keepGarbageYoung(): void {
  setFlagsFromString('--no-allocation-site-pretenuring');
}
