import * as z from 'zod';
import { kafkaOptionsOf } from '../../shared/composition/connections.ts';
import { readKafkaConnection } from '../../shared/config/environment.ts';
import { drainTopic } from '../../shared/kafka/drain-topic.ts';
import { createLogger } from '../../shared/telemetry/logger.ts';
import { originalRecord } from './original-record.ts';

const asked = z.object({
  /** What mappings gave up, or what functions could not read. */
  from: z.enum(['on-failure', 'dead-letter']),
  limit: z.number().int().min(1).max(1_000_000).default(10_000),
  dry_run: z.boolean().default(false),
});

const connection = readKafkaConnection();
const log = createLogger({ service: 'redrive', level: connection.logLevel });

/** Puts records back where they came from, once each; the functions take repeats for what they are. */
export async function handler(event: unknown): Promise<{ seen: number; redriven: number; left: string[] }> {
  const { from, limit, dry_run: dryRun } = asked.parse(event);
  const { topics, kafkaGroupId } = connection;
  const { executionRequests, cancellationRequests, stepRequests, results, httpTasks, lambdaTasks } = topics;
  const work = [executionRequests, cancellationRequests, stepRequests, results, httpTasks, lambdaTasks];
  const left: string[] = [];
  const { seen, written } = await drainTopic({
    kafka: kafkaOptionsOf(connection, 'redrive'),
    from: from === 'on-failure' ? topics.onFailure : topics.deadLetter,
    groupId: `${kafkaGroupId}.redrive`,
    limit,
    dryRun,
    recover(text) {
      const recovered = originalRecord(text, work);
      if (recovered.ok) return recovered.record;
      if (left.length < 100) left.push(recovered.reason);
      return null;
    },
  });
  log.info('Redriven', { from, dry_run: dryRun, seen, redriven: written, left });
  return { seen, redriven: written, left };
}
