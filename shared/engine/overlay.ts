/** As many rows are copied; what is more becomes a layer. */
const MAX_COPIED = 32;

/** A table that can be written to, and leaves the one before as it is. */
export function writableOver<Value>(before: ReadonlyMap<string, Value>): Map<string, Value> | Overlay<Value> {
  return before.size <= MAX_COPIED ? new Map(before) : new Overlay(before);
}

/**
 * A map with others written over it, which stays as it is: what a decision writes costs by what it writes, not by what the state
 * that it begins with holds. In the order of a map.
 */
export class Overlay<Value> implements ReadonlyMap<string, Value> {
  readonly #base: ReadonlyMap<string, Value>;
  readonly #own: Map<string, Value>;
  /** Of its own that the base has not. */
  #added = 0;

  constructor(before: ReadonlyMap<string, Value>) {
    const isCopied = before instanceof Overlay && before.#own.size < MAX_COPIED;
    this.#base = isCopied ? before.#base : before;
    this.#own = isCopied ? new Map(before.#own) : new Map();
    this.#added = isCopied ? before.#added : 0;
  }

  /** Only by who made it. */
  set(key: string, value: Value): this {
    if (!this.#own.has(key) && !this.#base.has(key)) this.#added++;
    this.#own.set(key, value);
    return this;
  }

  get size(): number {
    return this.#base.size + this.#added;
  }

  get(key: string): Value | undefined {
    return this.#own.has(key) ? this.#own.get(key) : this.#base.get(key);
  }

  has(key: string): boolean {
    return this.#own.has(key) || this.#base.has(key);
  }

  *entries(): MapIterator<[string, Value]> {
    for (const [key, value] of this.#base)
      yield [key, this.#own.has(key) ? (this.#own.get(key) as Value) : value];
    for (const entry of this.#own) if (!this.#base.has(entry[0])) yield entry;
  }

  keys(): MapIterator<string> {
    return this.entries().map(([key]) => key) as MapIterator<string>;
  }

  values(): MapIterator<Value> {
    return this.entries().map(([, value]) => value) as MapIterator<Value>;
  }

  [Symbol.iterator](): MapIterator<[string, Value]> {
    return this.entries();
  }

  forEach(act: (value: Value, key: string, map: ReadonlyMap<string, Value>) => void): void {
    for (const [key, value] of this.entries()) act(value, key, this);
  }
}
