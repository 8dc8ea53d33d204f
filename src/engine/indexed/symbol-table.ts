import { randomBytes } from 'node:crypto';

/** What stands for no symbol: a text that the table does not hold, a value that a row does not have. */
export const NONE = -1;

const SHARD_BITS = 5;
const FIRST_SLOTS = 16;
/** A slot: the symbol and the hash. */
const WIDTH = 2;
const CHUNK_BITS = 12;
const CHUNK = 1 << CHUNK_BITS;

/** Drawn anew by each process: nobody outside can prepare texts that all fall into one slot. */
const SEED = randomBytes(4).readInt32LE();
const FACTOR = randomBytes(4).readInt32LE() | 1;

/** A hash that grows by one UTF-16 unit at a time, so that every prefix of a text has one. */
export const emptyHash = SEED;

/** The hash of a text and one more unit. */
export function hashWith(hash: number, unit: number): number {
  const mixed = Math.imul(hash ^ unit, FACTOR);
  return mixed ^ (mixed >>> 15);
}

function hashOf(text: string): number {
  let hash = emptyHash;
  for (let at = 0; at < text.length; at += 1) hash = hashWith(hash, text.charCodeAt(at));
  return hash;
}

/**
 * Texts by number and numbers by text: each text is held once, however many rules name it. Its hash
 * table is split into shards, because growing one large table would hold the event loop for long.
 */
export class SymbolTable {
  readonly #chunks: string[][] = [];
  readonly #shards: Shard[] = Array.from({ length: 1 << SHARD_BITS }, () => ({
    slots: new Int32Array(FIRST_SLOTS * WIDTH).fill(NONE),
    mask: FIRST_SLOTS - 1,
    count: 0,
  }));
  #size = 0;

  /** How many texts are held. */
  get size(): number {
    return this.#size;
  }

  /** The number of a text; `NONE` for one that the table does not hold. */
  find(text: string): number {
    return this.findPrefix(text, text.length, hashOf(text));
  }

  /** The number of the first `length` units of `text`, whose hash is given. */
  findPrefix(text: string, length: number, hash: number): number {
    const { slots, mask } = this.#shardOf(hash);
    for (let place = hash & mask; ; place = (place + 1) & mask) {
      const id = slots[place * WIDTH] as number;
      if (id === NONE) return NONE;
      if (slots[place * WIDTH + 1] !== hash) continue;
      const held = this.text(id);
      if (held.length === length && (held === text || text.startsWith(held))) return id;
    }
  }

  /** The number of a text, which is held from now on. */
  intern(text: string): number {
    const hash = hashOf(text);
    const known = this.findPrefix(text, text.length, hash);
    if (known !== NONE) return known;
    const id = this.#size++;
    if ((id & (CHUNK - 1)) === 0) this.#chunks.push([]);
    this.#chunks[id >>> CHUNK_BITS]?.push(text);
    this.#place(id, hash);
    return id;
  }

  /** The text of a number that this table gave. */
  text(id: number): string {
    return (this.#chunks[id >>> CHUNK_BITS] as string[])[id & (CHUNK - 1)] as string;
  }

  #place(id: number, hash: number): void {
    const shard = this.#shardOf(hash);
    shard.count += 1;
    if (shard.count * 2 > shard.mask) grow(shard);
    put(shard, id, hash);
  }

  #shardOf(hash: number): Shard {
    return this.#shards[hash >>> (32 - SHARD_BITS)] as Shard;
  }
}

interface Shard {
  /** A symbol and the hash of its text, side by side; open addressing. */
  slots: Int32Array;
  /** The number of slots, a power of two, less one. */
  mask: number;
  count: number;
}

function grow(shard: Shard): void {
  const held = shard.slots;
  shard.slots = new Int32Array(held.length * 2).fill(NONE);
  shard.mask = shard.mask * 2 + 1;
  for (let at = 0; at < held.length; at += WIDTH) {
    const id = held[at] as number;
    if (id !== NONE) put(shard, id, held[at + 1] as number);
  }
}

function put({ slots, mask }: Shard, id: number, hash: number): void {
  let place = hash & mask;
  while (slots[place * WIDTH] !== NONE) place = (place + 1) & mask;
  slots[place * WIDTH] = id;
  slots[place * WIDTH + 1] = hash;
}
