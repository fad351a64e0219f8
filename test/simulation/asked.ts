let order = 0;

/** What was asked of runs and not yet done, and what was asked before what. */
export class Asked {
  readonly #asked = new Map<string, number>();

  add(runId: string): void {
    this.#asked.set(runId, ++order);
  }

  has(runId: string): boolean {
    return this.#asked.has(runId);
  }

  /** @returns when it was asked for, in the order of all that was; null: it was not. */
  take(runId: string): number | null {
    const at = this.#asked.get(runId) ?? null;
    this.#asked.delete(runId);
    return at;
  }

  /** It was asked for before: that is undone. */
  dropBefore(runId: string, at: number): void {
    if ((this.#asked.get(runId) ?? at) < at) this.#asked.delete(runId);
  }
}
