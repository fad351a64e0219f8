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
import type { VerifyResultToken } from './item-of-answer.ts';
import { itemOfRecord } from './item-of-record.ts';

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
    const work: { record: MskRecord; item: BatchItem }[] = [];
    const deadLetters: { record: MskRecord; reason: string }[] = [];
    for (const record of recordsOf(event)) {
      const translated = itemOfRecord(record, deps.verifyResultToken, deps.clock.now());
      if (translated.ok) work.push({ record, item: translated.item });
      else deadLetters.push({ record, reason: translated.reason });
    }
    const outcomes = await deps.decideBatch(work.map(({ item }) => item));
    work.forEach(({ record, item }, i) => {
      const outcome = outcomes[i] as Outcome;
      logOutcome(deps.log, item, outcome);
      const reason = deadLetterReason(outcome, item);
      if (reason !== null) deadLetters.push({ record, reason });
    });
    if (deadLetters.length > 0) await publishDeadLetters(deps, deadLetters);
    return { batchItemFailures: [] };
  };
}

function logOutcome(log: StepExecutorLog, { runId, event }: BatchItem, outcome: Outcome): void {
  const fields = { run_id: runId, event: event.type };
  if (outcome.outcome === 'refused') log.debug('Event refused', { ...fields, code: outcome.code });
  if (outcome.outcome === 'decided') log.debug('Event decided', { ...fields, status: outcome.status });
}

/** Null: the record has been dealt with. */
function deadLetterReason(outcome: Outcome, { runId }: BatchItem): string | null {
  if (outcome.outcome === 'unknown_run') return `run_id: expected a run that exists, got "${runId}"`;
  if (outcome.outcome === 'unauthorised')
    return 'cancellation_token: expected one, since the run has an owner';
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
