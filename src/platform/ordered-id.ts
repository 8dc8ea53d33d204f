import { randomFillSync } from 'node:crypto';
import { type Clock, systemClock } from './clock.js';

/** Bytes of a random part, and how many parts are drawn at once: a draw costs as much as many parts. */
const PART = 8;
const DRAWN = 512;

/** The counter has 12 bits; it starts in their lower half, so that a millisecond has room. */
const COUNTER = 0x1000;

/**
 * Makes ids that grow: the 32 hex digits of UUIDs of version 7 (RFC 9562), each greater than the one
 * before, with 62 random bits. Where a millisecond has more than its counter can tell apart, or the
 * clock goes back, the time in them runs ahead.
 *
 * @example const next = orderedIds(); `dec_${next()}`;
 */
export function orderedIds(clock: Clock = systemClock): () => string {
  const random = Buffer.allocUnsafe(PART * DRAWN);
  let hex = '';
  let used = random.length;
  let time = -1;
  let counter = 0;
  let prefix = '';

  const stamp = (): void => {
    const now = clock.now();
    counter += 1;
    if (now <= time && counter < COUNTER) return;
    time = Math.max(now, time + 1);
    counter = random.readUInt16BE(used) % (COUNTER / 2);
    prefix = time.toString(16).padStart(12, '0');
  };

  return () => {
    if (used === random.length) {
      randomFillSync(random);
      hex = random.toString('hex');
      used = 0;
    }
    stamp();
    const first = ((random[used] ?? 0) & 0x3f) | 0x80;
    const id = `${prefix}7${counter.toString(16).padStart(3, '0')}${first.toString(16)}${hex.slice(used * 2 + 2, used * 2 + 2 * PART)}`;
    used += PART;
    return id;
  };
}
