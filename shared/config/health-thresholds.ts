/** Beyond these, `/health?deep=true` is 503: something does not keep up, or is not there. */
export const healthThresholds = {
  /** It is invoked every minute and looks until the next one; it says so every 20 s. */
  timekeeperTickAgeSeconds: 120,
  /** The timekeeper publishes what is older than 4 s; what Kafka refused, it tries again after 10 s and up to a minute. */
  oldestOutboxRowAgeSeconds: 60,
  /** Timers fire to the second. */
  dueLagSeconds: 30,
  /** A request that nobody picked up is repeated after a minute. */
  oldestPendingRunAgeSeconds: 300,
  /** Records of one consumer group, over all partitions. */
  consumerLagRecords: 10_000,
} as const;
