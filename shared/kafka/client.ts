import { Kafka, logLevel } from 'kafkajs';
import { registerCodecs } from './compression/codecs.ts';
import { socketWithoutDelay } from './socket-without-delay.ts';

export interface KafkaOptions {
  readonly brokers: readonly string[];
  readonly clientId: string;
  /** Asked for each connection, which then is a TLS one. */
  readonly token?: (() => Promise<string>) | undefined;
}

registerCodecs();

/** One client configuration for producers, admins and consumers, which read every compression. Retries are short: what is not published stays in the outbox. */
export function createKafka({ brokers, clientId, token }: KafkaOptions): Kafka {
  return new Kafka({
    clientId,
    brokers: [...brokers],
    connectionTimeout: 1_000,
    requestTimeout: 10_000,
    retry: { initialRetryTime: 50, maxRetryTime: 500, retries: 5 },
    logLevel: logLevel.NOTHING,
    socketFactory: socketWithoutDelay,
    ...(token && {
      ssl: true,
      sasl: { mechanism: 'oauthbearer', oauthBearerProvider: async () => ({ value: await token() }) },
    }),
  });
}
