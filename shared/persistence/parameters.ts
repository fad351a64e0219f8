/** A statement's values, numbered as they are added. */
export class Parameters {
  readonly values: unknown[] = [];

  /** @returns its placeholder, `$1` on */
  add(value: unknown): string {
    return `$${this.values.push(value)}`;
  }
}

/** What a column of JSON gets: null where there is no value, and for the JSON value null too. */
export function jsonParameter(value: unknown): string | null {
  return value === undefined || value === null ? null : JSON.stringify(value);
}
