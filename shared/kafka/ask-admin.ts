import type { Admin } from 'kafkajs';
import { createKafka, type KafkaOptions } from './client.ts';

/**
 * Asks the cluster something, on a connection of its own.
 * @param ask is told until when it may try again, as `performance.now()` counts
 * @throws when the cluster has not answered within `timeoutMs`
 */
export async function askAdmin<T>(
  options: KafkaOptions,
  timeoutMs: number,
  ask: (admin: Admin, giveUpAt: number) => Promise<T>,
): Promise<T> {
  const admin = createKafka(options).admin();
  const giveUpAt = performance.now() + timeoutMs;
  const timeout = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => timeout.reject(new Error(`Kafka did not tell its offsets within ${timeoutMs} ms`)),
    timeoutMs,
  );
  const asking = admin.connect().then(() => ask(admin, giveUpAt));
  // What fails after its time has nobody waiting for it.
  asking.catch(() => {});
  try {
    return await Promise.race([asking, timeout.promise]);
  } finally {
    clearTimeout(timer);
    // Not waited for either: a broker that is away does not say goodbye.
    admin.disconnect().catch(() => {});
  }
}
