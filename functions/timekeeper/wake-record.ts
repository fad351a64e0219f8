import type { OutgoingRecord } from '../../shared/kafka/producer.ts';
import type { Wake } from '../../shared/messages/messages.ts';
import type { DueRow } from '../../shared/persistence/due-times.ts';

/** To look at an attempt, or at the run itself. */
export function wakeRecord(
  { runId, stepExecutionId, firedAt }: Pick<DueRow, 'runId' | 'stepExecutionId' | 'firedAt'>,
  topic: string,
): OutgoingRecord {
  const value = {
    message_type: 'wake',
    run_id: runId,
    step_execution_id: stepExecutionId,
    timestamp: firedAt.toISOString(),
  } satisfies Wake;
  return { topic, key: runId, value };
}
