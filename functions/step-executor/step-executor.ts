import type { BatchItem, Outcome } from '../../shared/application/batch.ts';
import type { DecideBatch } from '../../shared/application/decide-batch.ts';
import type { Clock } from '../../shared/application/ports.ts';
import { deadLetterOf } from '../../shared/kafka/dead-letter-of.ts';
import {
  type MskBatchResponse,
  type MskEvent,
  type MskRecord,
  recordsOf,
} from '../../shared/kafka/msk-event.ts';
import type { RecordProducer } from '../../shared/kafka/producer.ts';
import type { CountDeadLetters } from '../../shared/persistence/dead-letter-counts.ts';
import { itemOfRecord, type VerifyResultToken } from './item-of-record.ts';

export interface StepExecutorDeps {
  readonly decideBatch: DecideBatch;
  readonly producer: Pick<RecordProducer, 'publish'>;
  readonly verifyResultToken: VerifyResultToken;
  readonly deadLetterTopic: string;
  readonly countDeadLetters: CountDeadLetters;
  readonly clock: Clock;
  readonly log: StepExecutorLog;
}

export interface StepExecutorLog {
  debug(message: string, fields: Record<string, unknown>): void;
  warn(message: string, fields: Record<string, unknown>): void;
}

/**
 * Settles what each record reports on and enters one step: the next. A record that is not ours, or names a run that does not
 * exist, becomes a dead letter, and its neighbours go on. Throws when the database or the dead-letter topic is away: the whole
 * batch comes again, and what was decided already is refused as a repeat.
 */
export function createStepExecutor(deps: StepExecutorDeps): (event: MskEvent) => Promise<MskBatchResponse> {
  return async (event) => {
    const items: BatchItem[] = [];
    const records: MskRecord[] = [];
    const deadLetters: { record: MskRecord; reason: string }[] = [];
    for (const record of recordsOf(event)) {
      const translated = itemOfRecord(record, deps.verifyResultToken);
      if (translated.ok) {
        items.push(translated.item);
        records.push(record);
      } else {
        deadLetters.push({ record, reason: translated.reason });
      }
    }
    const outcomes = await deps.decideBatch(items);
    outcomes.forEach((outcome, i) => {
      const reason = deadLetterReason(outcome, items[i] as BatchItem);
      if (reason !== null) deadLetters.push({ record: records[i] as MskRecord, reason });
      const { runId, event } = items[i] as BatchItem;
      const fields = { run_id: runId, event: event.type };
      if (outcome.outcome === 'refused') deps.log.debug('Event refused', { ...fields, code: outcome.code });
      if (outcome.outcome === 'decided')
        deps.log.debug('Event decided', { ...fields, status: outcome.status });
    });
    if (deadLetters.length > 0) await publishDeadLetters(deps, deadLetters);
    return { batchItemFailures: [] };
  };
}

function deadLetterReason(outcome: Outcome, { runId }: BatchItem): string | null {
  if (outcome.outcome === 'unknown_run') return `run_id: expected a run that exists, got "${runId}"`;
  return outcome.outcome === 'value_refused' || outcome.outcome === 'defect' ? outcome.reason : null;
}

async function publishDeadLetters(
  { producer, deadLetterTopic, countDeadLetters, clock, log }: StepExecutorDeps,
  letters: readonly { record: MskRecord; reason: string }[],
): Promise<void> {
  for (const { record, reason } of letters) {
    const { topic, partition, offset } = record;
    log.warn('Record sent to the dead-letter topic', { topic, partition, offset, reason });
  }
  await producer.publish(
    letters.map(({ record, reason }) => deadLetterOf(record, reason, deadLetterTopic, clock.now())),
    { timeoutMs: 10_000 },
  );
  await countDeadLetters(letters.map(({ record }) => record));
}
