/** A statement's values, numbered as they are added. */
export class Parameters {
  readonly values: unknown[] = [];

  /** @returns its placeholder, `$1` on */
  add(value: unknown): string {
    return `$${this.values.push(value)}`;
  }
}
