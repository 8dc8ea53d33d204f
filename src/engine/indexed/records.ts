const CHUNK_BITS = 10;
const CHUNK = 1 << CHUNK_BITS;

/**
 * Records of some integers of 32 bits each, side by side, that grow at the end: reading a record
 * touches one place in memory, and there is nothing for a collector to visit. They grow by chunks,
 * because copying one large array would hold the event loop.
 */
export class Records {
  readonly #width: number;
  readonly #chunks: Int32Array[] = [];
  #length = 0;

  /** @param width the integers of a record */
  constructor(width: number) {
    this.#width = width;
  }

  get length(): number {
    return this.#length;
  }

  /** Appends a record, each of its fields `value`, and gives its number. */
  push(value: number): number {
    const place = this.#length & (CHUNK - 1);
    if (place === 0) this.#chunks.push(new Int32Array(CHUNK * this.#width));
    const chunk = this.#chunks[this.#length >>> CHUNK_BITS] as Int32Array;
    chunk.fill(value, place * this.#width, (place + 1) * this.#width);
    return this.#length++;
  }

  /** A field of a record that is there. */
  get(record: number, field: number): number {
    const chunk = this.#chunks[record >>> CHUNK_BITS] as Int32Array;
    return chunk[(record & (CHUNK - 1)) * this.#width + field] as number;
  }

  set(record: number, field: number, value: number): void {
    const chunk = this.#chunks[record >>> CHUNK_BITS] as Int32Array;
    chunk[(record & (CHUNK - 1)) * this.#width + field] = value;
  }
}
