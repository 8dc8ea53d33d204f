const FIRST_WORDS = 32;

/** Symbols that were met, a bit each; none is ever taken out. */
export class SymbolSet {
  #words = new Int32Array(FIRST_WORDS);

  add(symbol: number): void {
    const word = symbol >>> 5;
    if (word >= this.#words.length) this.#grow(word);
    this.#words[word] = (this.#words[word] as number) | (1 << (symbol & 31));
  }

  has(symbol: number): boolean {
    const word = this.#words[symbol >>> 5];
    return word !== undefined && (word & (1 << (symbol & 31))) !== 0;
  }

  #grow(word: number): void {
    const larger = new Int32Array(Math.max(word + 1, this.#words.length * 2));
    larger.set(this.#words);
    this.#words = larger;
  }
}
