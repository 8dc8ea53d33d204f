import { NONE } from './symbol-table.js';

const SHARD_BITS = 5;
const FIRST_ENTRIES = 16;
/** An entry: the two keys and the value, side by side in memory. */
const WIDTH = 3;

/**
 * Numbers by pairs of numbers that are not negative. Twelve bytes an entry and no objects; split into
 * shards, because growing one large table would hold the event loop for long.
 */
export class PairTable {
  readonly #shards: Shard[] = Array.from({ length: 1 << SHARD_BITS }, () => ({
    entries: new Int32Array(FIRST_ENTRIES * WIDTH).fill(NONE),
    mask: FIRST_ENTRIES - 1,
    count: 0,
  }));

  /** The value of a pair; `NONE` where it has none. */
  get(a: number, b: number): number {
    const hash = hashOf(a, b);
    const { entries, mask } = this.#shards[hash >>> (32 - SHARD_BITS)] as Shard;
    return entries[slotOf(entries, mask, hash, a, b) + 2] as number;
  }

  set(a: number, b: number, value: number): void {
    const hash = hashOf(a, b);
    const shard = this.#shards[hash >>> (32 - SHARD_BITS)] as Shard;
    let slot = slotOf(shard.entries, shard.mask, hash, a, b);
    if (shard.entries[slot] === NONE) {
      shard.count += 1;
      if (shard.count * 2 > shard.mask) {
        grow(shard);
        slot = slotOf(shard.entries, shard.mask, hash, a, b);
      }
    }
    shard.entries[slot] = a;
    shard.entries[slot + 1] = b;
    shard.entries[slot + 2] = value;
  }
}

interface Shard {
  entries: Int32Array;
  /** The number of places, a power of two, less one. */
  mask: number;
  count: number;
}

function hashOf(a: number, b: number): number {
  let hash = Math.imul(a, 0x9e3779b1) ^ Math.imul(b, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return hash ^ (hash >>> 13);
}

/** Where the pair stands, or would stand. */
function slotOf(entries: Int32Array, mask: number, hash: number, a: number, b: number): number {
  for (let place = hash & mask; ; place = (place + 1) & mask) {
    const slot = place * WIDTH;
    const first = entries[slot];
    if (first === NONE || (first === a && entries[slot + 1] === b)) return slot;
  }
}

function grow(shard: Shard): void {
  const held = shard.entries;
  shard.entries = new Int32Array(held.length * 2).fill(NONE);
  shard.mask = shard.mask * 2 + 1;
  for (let slot = 0; slot < held.length; slot += WIDTH) {
    const [a = NONE, b = NONE, value = NONE] = [held[slot], held[slot + 1], held[slot + 2]];
    if (a === NONE) continue;
    const to = slotOf(shard.entries, shard.mask, hashOf(a, b), a, b);
    shard.entries[to] = a;
    shard.entries[to + 1] = b;
    shard.entries[to + 2] = value;
  }
}
