/** The settings of an event source mapping, by the names that CloudFormation gives them. Plain data. */
export interface MappingSettings {
  topic: string;
  functionName: string;
  consumerGroupId: string;
  batchSize: number;
  /** 0 takes what has arrived, at once. */
  maximumBatchingWindowInMs?: number;
  startingPosition?: 'TRIM_HORIZON' | 'LATEST';
  /** Beside the first attempt. -1, the default, has no end; with an on-failure topic it means 10, as there. */
  maximumRetryAttempts?: number;
  /** -1, the default, has no end. */
  maximumRecordAgeInSeconds?: number;
  bisectBatchOnFunctionError?: boolean;
  reportBatchItemFailures?: boolean;
  onFailureTopic?: string;
}

/** What the emulation itself can be told. */
export interface MappingTuning {
  /** Between attempts: the first wait, and what doubling it ends at. */
  retryBackoffMs?: { first: number; longest: number };
  /** How soon an offset is committed after its record is done. */
  commitDelayMs?: number;
  /** How long Kafka keeps the place of a mapping that vanished. */
  sessionTimeoutMs?: number;
}

export function retryLimit({ maximumRetryAttempts = -1, onFailureTopic }: MappingSettings): number {
  if (maximumRetryAttempts >= 0) return maximumRetryAttempts;
  return onFailureTopic === undefined ? Number.POSITIVE_INFINITY : 10;
}
