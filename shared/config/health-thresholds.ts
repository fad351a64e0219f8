/** Beyond these, `/health?deep=true` is 503: something does not keep up, or is not there. */
export const healthThresholds = {
  /** It is invoked every minute and looks until the next one; it says so every 20 s. */
  timekeeperTickAgeSeconds: 120,
  /**
   * The timekeeper publishes what is older than 4 s; what Kafka refused, or did not answer for, it tries again after 10 or 15 s and up to a
   * minute. A task that its agent’s topic does not take is given up after 30 s: nobody’s topic alone brings a row so far.
   */
  oldestOutboxRowAgeSeconds: 60,
  /** Timers fire to the second. */
  dueLagSeconds: 30,
  /** A request that nobody picked up is repeated after a minute. */
  oldestPendingRunAgeSeconds: 300,
  /** Records of one consumer group, over all partitions. */
  consumerLagRecords: 10_000,
} as const;
