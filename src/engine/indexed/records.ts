const FIRST_CAPACITY = 32;

/**
 * Records of some integers of 32 bits each, side by side, that grow at the end: reading a record
 * touches one place in memory, and there is nothing for a collector to visit.
 */
export class Records {
  readonly #width: number;
  #items: Int32Array;
  #length = 0;

  /** @param width the integers of a record */
  constructor(width: number) {
    this.#width = width;
    this.#items = new Int32Array(FIRST_CAPACITY * width);
  }

  get length(): number {
    return this.#length;
  }

  /** Appends a record, each of its fields `value`, and gives its number. */
  push(value: number): number {
    const end = (this.#length + 1) * this.#width;
    if (end > this.#items.length) this.#grow();
    this.#items.fill(value, end - this.#width, end);
    return this.#length++;
  }

  /** A field of a record that is there. */
  get(record: number, field: number): number {
    return this.#items[record * this.#width + field] as number;
  }

  set(record: number, field: number, value: number): void {
    this.#items[record * this.#width + field] = value;
  }

  #grow(): void {
    const larger = new Int32Array(Math.max(this.#items.length * 2, this.#width * FIRST_CAPACITY));
    larger.set(this.#items);
    this.#items = larger;
  }
}
