const FIRST_CAPACITY = 64;
/** Fewer values than this are sorted faster by hand than the runtime can be called. */
const FEW = 24;

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

  /** Appends values in their order. */
  pushAll(values: readonly number[]): void {
    for (let index = 0; index < values.length; index += 1) this.push(values[index] as number);
  }

  /** The value at an index that is there. */
  at(index: number): number {
    return this.#items[index] as number;
  }

  /** Whether a value is among these; for few of them. */
  includes(value: number): boolean {
    for (let index = 0; index < this.#length; index += 1) {
      if (this.#items[index] === value) return true;
    }
    return false;
  }

  set(index: number, value: number): void {
    this.#items[index] = value;
  }

  /** The values, in an array of their own. */
  toArray(): Int32Array<ArrayBuffer> {
    return this.#items.slice(0, this.#length);
  }

  /** Forgets all values; the room that they took stays. */
  clear(): void {
    this.#length = 0;
  }

  /** Forgets the values that do not pass. */
  keep(passes: (value: number) => boolean): void {
    let kept = 0;
    for (let index = 0; index < this.#length; index += 1) {
      const value = this.#items[index] as number;
      if (passes(value)) this.#items[kept++] = value;
    }
    this.#length = kept;
  }

  /** The values in ascending order, in place. */
  sort(): void {
    if (this.#length > FEW) this.#items.subarray(0, this.#length).sort();
    else this.#insertionSort(ascending);
  }

  /** The values in the order of `compare`, in place. */
  sortBy(compare: (a: number, b: number) => number): void {
    if (this.#length > FEW) this.#items.subarray(0, this.#length).sort(compare);
    else this.#insertionSort(compare);
  }

  #insertionSort(compare: (a: number, b: number) => number): void {
    const items = this.#items;
    for (let end = 1; end < this.#length; end += 1) {
      const moved = items[end] as number;
      let at = end;
      for (; at > 0 && compare(items[at - 1] as number, moved) > 0; at -= 1) {
        items[at] = items[at - 1] as number;
      }
      items[at] = moved;
    }
  }

  #grow(): void {
    const larger = new Int32Array(this.#items.length * 2);
    larger.set(this.#items);
    this.#items = larger;
  }
}

function ascending(a: number, b: number): number {
  return a - b;
}
