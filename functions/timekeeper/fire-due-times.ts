import { apart } from '../../shared/application/error-policy.ts';
import type { OutgoingRecord, RecordProducer } from '../../shared/kafka/producer.ts';
import type { Wake } from '../../shared/messages/messages.ts';
import type { Database } from '../../shared/persistence/database.ts';
import { claimDueTimes, type DueRow, giveBackDueTimes } from '../../shared/persistence/due-times.ts';
import { LEASE_MS } from './lease.ts';

export interface FireDueTimesDeps {
  readonly database: Database;
  readonly producer: Pick<RecordProducer, 'publish'>;
  readonly stepRequestsTopic: string;
}

const BATCH = 500;

/**
 * Fires what is due. @throws PublishError when wakes could not be published: their rows are due still; at the end, what kept one row
 * from being fired
 */
export async function fireDueTimes({
  database,
  producer,
  stepRequestsTopic,
}: FireDueTimesDeps): Promise<number> {
  let fired = 0;
  let failure: unknown;
  for (;;) {
    const { due, taken } = await database.transaction((statements) =>
      claimDueTimes(statements, { limit: BATCH, leaseMs: LEASE_MS }),
    );
    try {
      await apart(
        due,
        async (rows): Promise<[]> => {
          await producer.publish(rows.map((row) => wakeRecord(row, stepRequestsTopic)));
          return [];
        },
        // One that cannot be fired is due again when its lease ends, and the others are fired.
        (_row, _fault, error) => {
          failure ??= error;
          return [];
        },
      );
    } catch (error) {
      // Where the database is away too, their leases end by themselves.
      await database.transaction((statements) => giveBackDueTimes(statements, due)).catch(() => {});
      throw error;
    }
    fired += due.length;
    if (taken < BATCH) break;
  }
  if (failure !== undefined) throw failure;
  return fired;
}

function wakeRecord({ runId, stepExecutionId, firedAt }: DueRow, topic: string): OutgoingRecord {
  const value = {
    message_type: 'wake',
    run_id: runId,
    step_execution_id: stepExecutionId,
    timestamp: firedAt.toISOString(),
  } satisfies Wake;
  return { topic, key: runId, value };
}
