import type { Context } from 'aws-lambda';
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

interface Redriven {
  readonly seen: number;
  readonly redriven: number;
  /** False where the limit or the time ended it: another call goes on from there. */
  readonly complete: boolean;
  /** Why records stay where they are, the first hundred. */
  readonly left: readonly string[];
}

/** For what is under way, and to say how far it came. */
const MARGIN_MS = 30_000;

/** Puts records back where they came from, once each; the functions take repeats for what they are. */
export async function handler(
  event: unknown,
  context: Pick<Context, 'getRemainingTimeInMillis'>,
): Promise<Redriven> {
  const { from, limit, dry_run: dryRun } = asked.parse(event);
  const { topics, kafkaGroupId } = connection;
  const { executionRequests, cancellationRequests, stepRequests, results, httpTasks, lambdaTasks } = topics;
  const work = [executionRequests, cancellationRequests, stepRequests, results, httpTasks, lambdaTasks];
  const left: string[] = [];
  const { seen, written, complete } = await drainTopic({
    kafka: kafkaOptionsOf(connection, 'redrive'),
    from: from === 'on-failure' ? topics.onFailure : topics.deadLetter,
    groupId: `${kafkaGroupId}.redrive`,
    limit,
    dryRun,
    timeoutMs: context.getRemainingTimeInMillis() - MARGIN_MS,
    recover(text) {
      const recovered = originalRecord(text, work);
      if (recovered.ok) return recovered.record;
      if (left.length < 100) left.push(recovered.reason);
      return null;
    },
  });
  log.info('Redriven', { from, dry_run: dryRun, seen, redriven: written, complete, left });
  return { seen, redriven: written, complete, left };
}
