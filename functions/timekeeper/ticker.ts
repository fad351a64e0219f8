/** Deep health asks whether there was a tick in two minutes: it is told a few times in each, not at every look. */
const TICK_EVERY_MS = 20_000;

export interface TickerDeps {
  /** Writes down that the timekeeper is there. */
  readonly record: () => Promise<void>;
  /** Milliseconds since whenever. */
  readonly clock: () => number;
}

/** To be called at every look: records a tick where the last is long enough ago. What failed is tried again at the next. */
export function createTicker({ record, clock }: TickerDeps): () => Promise<void> {
  let nextAt = Number.NEGATIVE_INFINITY;
  return async () => {
    const now = clock();
    if (now < nextAt) return;
    await record();
    nextAt = now + TICK_EVERY_MS;
  };
}
