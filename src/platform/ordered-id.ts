import { randomFillSync } from 'node:crypto';

/** Random bytes of an id, two of them for its counter; many are drawn at once, as a draw costs most. */
const PART = 10;
const DRAWN = 512;

/** The counter has 12 bits; it starts in their lower half, so that a millisecond has room. */
const COUNTERS = 0x1000;

/**
 * Makes ids that grow: the 32 hex digits of UUIDs of version 7 (RFC 9562) for a time in milliseconds,
 * each greater than the one before, with 62 random bits. Where a millisecond has more than its counter
 * can tell apart, or the time goes back, the time in them runs ahead.
 *
 * @example const next = orderedIds(); `dec_${next(Date.now())}`;
 */
export function orderedIds(): (now: number) => string {
  const random = Buffer.allocUnsafe(PART * DRAWN);
  let hex = '';
  let used = random.length;
  let time = -1;
  let counter = 0;
  let prefix = '';

  const draw = (): void => {
    if (used < random.length) return;
    randomFillSync(random);
    hex = random.toString('hex');
    used = 0;
  };
  const count = (now: number): void => {
    counter += 1;
    if (now <= time && counter < COUNTERS) return;
    time = Math.max(now, time + 1);
    counter = random.readUInt16BE(used) % (COUNTERS / 2);
    prefix = time.toString(16).padStart(12, '0');
  };

  return (now) => {
    draw();
    count(now);
    const low = counter.toString(16).padStart(3, '0');
    // The variant of RFC 9562 in the two highest bits.
    const first = (((random[used + 2] ?? 0) & 0x3f) | 0x80).toString(16);
    const rest = hex.slice((used + 3) * 2, (used + PART) * 2);
    used += PART;
    return `${prefix}7${low}${first}${rest}`;
  };
}
