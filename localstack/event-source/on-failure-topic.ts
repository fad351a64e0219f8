import { setTimeout as sleep } from 'node:timers/promises';
import type { Kafka, KafkaJSError, Producer } from 'kafkajs';
import { type Discard, failureRecord, type RecordSource } from './failure-record.ts';
import type { SourceRecord } from './kafka-event.ts';

/** Writes given-up records to a topic. The producer is made when the first one comes. */
export class OnFailureTopic {
  readonly #topic: string;
  readonly #kafka: Kafka;
  #producer: Promise<Producer> | undefined;

  constructor(kafka: Kafka, topic: string) {
    this.#kafka = kafka;
    this.#topic = topic;
  }

  /**
   * Resolves to true when the broker has the records. A broker that is away is waited for until `stopping`; a record that
   * it refuses for good, such as one that has grown too large, is reported and dropped, as Lambda does.
   */
  async deliver(
    source: RecordSource,
    records: readonly SourceRecord[],
    discard: Discard,
    stopping: AbortSignal,
    log: (line: string) => void,
  ): Promise<boolean> {
    const messages = records.map((record) => ({
      key: record.message.key,
      value: JSON.stringify(failureRecord(source, record, discard, new Date())),
    }));
    while (!stopping.aborted) {
      try {
        const producer = await this.#connected();
        await producer.send({ topic: this.#topic, messages });
        return true;
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        log(`cannot write to the on-failure topic ${this.#topic}: ${reason}`);
        if ((error as Partial<KafkaJSError>).retriable === false) return true;
        await sleep(500, undefined, { signal: stopping }).catch(() => {});
      }
    }
    return false;
  }

  async close(): Promise<void> {
    const producer = await this.#producer?.catch(() => undefined);
    await producer?.disconnect();
  }

  #connected(): Promise<Producer> {
    this.#producer ??= (async () => {
      const producer = this.#kafka.producer({ retry: { retries: 1, initialRetryTime: 100 } });
      try {
        await producer.connect();
        return producer;
      } catch (error) {
        this.#producer = undefined;
        throw error;
      }
    })();
    return this.#producer;
  }
}
