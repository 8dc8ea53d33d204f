/**
 * Things filed under names, or in one more place for what concerns every name. Whoever looks for a
 * name finds what is in these two places and goes past all others.
 */
export class Pigeonholes<Content> {
  /** What concerns every name. */
  always: Content | undefined;
  readonly #named = new Map<string, Content>();
  readonly #make: () => Content;

  /** `make` gives the content of a place that is still empty. */
  constructor(make: () => Content) {
    this.#make = make;
  }

  /** What is filed under a name alone. */
  under(name: string): Content | undefined {
    return this.#named.get(name);
  }

  /** The contents to add to: one for each name; where there are no names, the one for every name. */
  opened(names: readonly string[] | undefined): Content[] {
    if (names === undefined) return [(this.always ??= this.#make())];
    return names.map((name) => this.#openedFor(name));
  }

  #openedFor(name: string): Content {
    const known = this.#named.get(name);
    if (known !== undefined) return known;
    const made = this.#make();
    this.#named.set(name, made);
    return made;
  }
}
