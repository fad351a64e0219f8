/** Calls above this, on average, are not made where they hold back the tasks behind them. */
const SLOW_MS = 1_000;
/** How much the last call counts in the average. */
const WEIGHT = 0.3;
/** After so long without a call from here an agent is tried again: it may have been a cold start. */
const FORGET_AFTER_MS = 60_000;
/** One that is slow again each time that it is tried holds back the tasks behind it ever more seldom: twice as long, up to this. */
const FORGET_AFTER_AT_MOST_MS = 3_600_000;
const MAX_KEPT = 1_000;

interface Known {
  readonly averageMs: number;
  readonly at: number;
  readonly forgetAfterMs: number;
}

/** How long agents took to answer this execution environment. */
export class SlowAgents {
  readonly #clock: () => number;
  readonly #known = new Map<string, Known>();

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  record(address: string, durationMs: number): void {
    const recent = this.#recent(address);
    const averageMs = recent ? recent.averageMs + WEIGHT * (durationMs - recent.averageMs) : durationMs;
    const forgetAfterMs = this.#forgetAfterMs(address, averageMs);
    if (!this.#known.has(address) && this.#known.size >= MAX_KEPT) this.#known.clear();
    this.#known.set(address, { averageMs, at: this.#clock(), forgetAfterMs });
  }

  isSlow(address: string): boolean {
    return (this.#recent(address)?.averageMs ?? 0) > SLOW_MS;
  }

  /** Neither holds of an agent that was not called from here of late. */
  isQuick(address: string): boolean {
    return (this.#recent(address)?.averageMs ?? Number.POSITIVE_INFINITY) <= SLOW_MS;
  }

  #forgetAfterMs(address: string, averageMs: number): number {
    const before = this.#known.get(address);
    if (before === undefined || averageMs <= SLOW_MS || before.averageMs <= SLOW_MS) return FORGET_AFTER_MS;
    const wasForgotten = this.#recent(address) === undefined;
    return wasForgotten ? Math.min(before.forgetAfterMs * 2, FORGET_AFTER_AT_MOST_MS) : before.forgetAfterMs;
  }

  #recent(address: string): Known | undefined {
    const known = this.#known.get(address);
    return known && this.#clock() - known.at <= known.forgetAfterMs ? known : undefined;
  }
}
