/** What an event source mapping hands to a function: records by `topic-partition`, keys and values in base64. */
export interface MskEvent {
  readonly eventSource: 'aws:kafka';
  readonly eventSourceArn?: string;
  readonly bootstrapServers?: string;
  readonly records: Readonly<Record<string, readonly MskRecord[]>>;
}

export interface MskRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly timestampType: string;
  readonly key?: string | null;
  readonly value?: string | null;
  readonly headers: readonly Readonly<Record<string, readonly number[]>>[];
}

/** `batchItemFailures` tells the mapping from where to resume a partition (ReportBatchItemFailures). */
export interface MskBatchResponse {
  readonly batchItemFailures: readonly {
    readonly itemIdentifier: { readonly partition: string; readonly offset: number };
  }[];
}

export function recordsOf(event: MskEvent): MskRecord[] {
  return Object.values(event.records).flat();
}

/** The record's value as text, or null where it has none or is not UTF-8. */
export function textOf(record: MskRecord): string | null {
  if (record.value === undefined || record.value === null) return null;
  try {
    return utf8.decode(Buffer.from(record.value, 'base64'));
  } catch {
    return null;
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true });
