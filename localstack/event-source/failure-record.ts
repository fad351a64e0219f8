import { functionArn, type InvocationResult } from '../invocation.ts';
import { clusterArn, type KafkaEvent, kafkaEvent, type SourceRecord } from './kafka-event.ts';

export type DiscardCondition = 'RetriesExhausted' | 'RecordAgeExceeded' | 'MaximumPayloadSizeExceeded';

/** Why a record is given up. */
export interface Discard {
  condition: DiscardCondition;
  requestId: string;
  invokeCount: number;
  /** Absent when the function was not invoked for it. */
  lastResult?: InvocationResult;
}

/** What a mapping writes to an on-failure topic: one message per record, with the record itself, for a redrive. */
export interface FailureRecord {
  requestContext: {
    requestId: string;
    functionArn: string;
    condition: DiscardCondition;
    approximateInvokeCount: number;
  };
  responseContext: { statusCode: 200; executedVersion: '$LATEST'; functionError: 'Unhandled' | null } | null;
  version: '1.0';
  timestamp: string;
  KafkaBatchInfo: {
    batchSize: 1;
    eventSourceArn: string;
    bootstrapServers: string;
    payloadSize: number;
    recordInfo: { offset: string; timestamp: string };
  };
  payload: KafkaEvent;
}

export interface RecordSource {
  functionName: string;
  topic: string;
  partition: number;
  bootstrapServers: string;
}

export function failureRecord(
  source: RecordSource,
  record: SourceRecord,
  discard: Discard,
  now: Date,
): FailureRecord {
  const payload = kafkaEvent(source.topic, source.partition, source.bootstrapServers, [record]);
  return {
    requestContext: {
      requestId: discard.requestId,
      functionArn: `${functionArn(source.functionName)}:$LATEST`,
      condition: discard.condition,
      approximateInvokeCount: discard.invokeCount,
    },
    responseContext: discard.lastResult
      ? {
          statusCode: 200,
          executedVersion: '$LATEST',
          functionError: discard.lastResult.ok ? null : 'Unhandled',
        }
      : null,
    version: '1.0',
    timestamp: now.toISOString(),
    KafkaBatchInfo: {
      batchSize: 1,
      eventSourceArn: clusterArn,
      bootstrapServers: source.bootstrapServers,
      payloadSize: Buffer.byteLength(JSON.stringify(payload)),
      recordInfo: { offset: String(record.offset), timestamp: new Date(record.timestamp).toISOString() },
    },
    payload,
  };
}
