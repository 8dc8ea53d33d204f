import { randomBytes } from 'node:crypto';
import { Ints } from './ints.js';

/** What stands for no symbol: a text that the table does not hold, a value that a row does not have. */
export const NONE = -1;

const SHARD_BITS = 8;
const FIRST_SLOTS = 16;
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
  readonly #hashes = new Ints();
  readonly #shards: Shard[] = Array.from({ length: 1 << SHARD_BITS }, () => ({
    slots: new Int32Array(FIRST_SLOTS).fill(NONE),
    count: 0,
  }));

  get size(): number {
    return this.#hashes.length;
  }

  /** The number of a text; `NONE` for one that the table does not hold. */
  find(text: string): number {
    return this.findPrefix(text, text.length, hashOf(text));
  }

  /** The number of the first `length` units of `text`, whose hash is given. */
  findPrefix(text: string, length: number, hash: number): number {
    const { slots } = this.#shardOf(hash);
    const mask = slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const id = slots[slot] as number;
      if (id === NONE) return NONE;
      if (this.#hashes.at(id) !== hash) continue;
      const held = this.text(id);
      if (held.length === length && (held === text || text.startsWith(held))) return id;
    }
  }

  /** The number of a text, which is held from now on. */
  intern(text: string): number {
    const hash = hashOf(text);
    const known = this.findPrefix(text, text.length, hash);
    if (known !== NONE) return known;
    const id = this.#hashes.push(hash);
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
    if (shard.count * 4 > shard.slots.length * 3) {
      const held = shard.slots;
      shard.slots = new Int32Array(held.length * 2).fill(NONE);
      for (const other of held) if (other !== NONE) put(shard.slots, other, this.#hashes.at(other));
    }
    put(shard.slots, id, hash);
  }

  #shardOf(hash: number): Shard {
    return this.#shards[hash >>> (32 - SHARD_BITS)] as Shard;
  }
}

interface Shard {
  /** Symbols, open addressing; a power of two of them. */
  slots: Int32Array;
  count: number;
}

function put(slots: Int32Array, id: number, hash: number): void {
  const mask = slots.length - 1;
  let slot = hash & mask;
  while (slots[slot] !== NONE) slot = (slot + 1) & mask;
  slots[slot] = id;
}
