import { Kafka, logLevel } from 'kafkajs';
import { socketWithoutDelay } from './socket-without-delay.ts';

export interface KafkaOptions {
  readonly brokers: readonly string[];
  readonly clientId: string;
}

/** One client configuration for producer and admin. Retries are short: what is not published stays in the outbox. */
export function createKafka({ brokers, clientId }: KafkaOptions): Kafka {
  return new Kafka({
    clientId,
    brokers: [...brokers],
    connectionTimeout: 1_000,
    requestTimeout: 10_000,
    retry: { initialRetryTime: 50, maxRetryTime: 500, retries: 5 },
    logLevel: logLevel.NOTHING,
    socketFactory: socketWithoutDelay,
  });
}
