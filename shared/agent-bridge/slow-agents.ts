/** Calls above this, on average, are not made where they hold back the tasks behind them. */
const SLOW_MS = 1_000;
/** How much the last call counts in the average. */
const WEIGHT = 0.3;
/** After so long without a call from here an agent is tried again: it may have been a cold start. */
const FORGET_AFTER_MS = 60_000;
const MAX_KEPT = 1_000;

/** How long agents took to answer this execution environment. */
export class SlowAgents {
  readonly #clock: () => number;
  readonly #known = new Map<string, { averageMs: number; at: number }>();

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  record(address: string, durationMs: number): void {
    const known = this.#recent(address);
    const averageMs = known ? known.averageMs + WEIGHT * (durationMs - known.averageMs) : durationMs;
    if (!known && this.#known.size >= MAX_KEPT) this.#known.clear();
    this.#known.set(address, { averageMs, at: this.#clock() });
  }

  isSlow(address: string): boolean {
    return (this.#recent(address)?.averageMs ?? 0) > SLOW_MS;
  }

  #recent(address: string) {
    const known = this.#known.get(address);
    return known && this.#clock() - known.at <= FORGET_AFTER_MS ? known : undefined;
  }
}
