/** Enough for a part of a million entries to grow within a millisecond. */
const PARTS = 64;

/**
 * A map of texts that may grow to millions of entries without holding the event loop: a plain `Map`
 * copies all of them each time that it doubles.
 */
export class WideMap<Value> {
  readonly #parts = Array.from({ length: PARTS }, () => new Map<string, Value>());

  get(key: string): Value | undefined {
    return this.#parts[partOf(key)]?.get(key);
  }

  set(key: string, value: Value): void {
    this.#parts[partOf(key)]?.set(key, value);
  }
}

function partOf(key: string): number {
  let hash = 0;
  for (let at = 0; at < key.length; at += 1) hash = (Math.imul(hash, 31) + key.charCodeAt(at)) | 0;
  return (hash >>> 0) % PARTS;
}
