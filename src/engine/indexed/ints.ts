const FIRST_CAPACITY = 64;

/** Integers of 32 bits that grow at the end: four bytes each, and nothing for a collector to visit. */
export class Ints {
  #items = new Int32Array(FIRST_CAPACITY);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Appends a value and gives its index. */
  push(value: number): number {
    if (this.#length === this.#items.length) this.#grow();
    this.#items[this.#length] = value;
    return this.#length++;
  }

  /** The value at an index that is there. */
  at(index: number): number {
    return this.#items[index] as number;
  }

  set(index: number, value: number): void {
    this.#items[index] = value;
  }

  /** Forgets all values; the room that they took stays. */
  clear(): void {
    this.#length = 0;
  }

  /** The values in ascending order, in place. */
  sort(): void {
    this.#items.subarray(0, this.#length).sort();
  }

  /** The values in the order of `compare`, in place. */
  sortBy(compare: (a: number, b: number) => number): void {
    this.#items.subarray(0, this.#length).sort(compare);
  }

  #grow(): void {
    const larger = new Int32Array(this.#items.length * 2);
    larger.set(this.#items);
    this.#items = larger;
  }
}
