import type { BatchItem, Outcome } from '../../shared/application/batch.ts';
import { classOf, type Fault, faultOf } from '../../shared/application/error-policy.ts';
import type { Clock } from '../../shared/application/ports/publishing.ts';
import type { ProcessBatch } from '../../shared/application/process-batch.ts';
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
import { itemOfRecord, type TranslatedRecord } from './item-of-record.ts';

export interface StepExecutorDeps {
  readonly processBatch: ProcessBatch;
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
  error(message: string, fields: Record<string, unknown>): void;
}

/**
 * Settles what each record reports on and enters one step: the next. A record that is not ours, names a run that does not
 * exist or meets a defect of ours becomes a dead letter, and its neighbours go on (shared/application/error-policy.ts). Throws
 * when the database or the dead-letter topic is away: the whole batch comes again, and what was decided already is refused as a
 * repeat.
 */
export function createStepExecutor(deps: StepExecutorDeps): (event: MskEvent) => Promise<MskBatchResponse> {
  return async (event) => {
    const work: { record: MskRecord; item: BatchItem }[] = [];
    const deadLetters: { record: MskRecord; reason: string }[] = [];
    for (const record of recordsOf(event)) {
      const translated = translate(record, deps.verifyResultToken, deps.clock.now());
      if (translated.ok) work.push({ record, item: translated.item });
      else deadLetters.push({ record, reason: translated.reason });
    }
    const outcomes = await deps.processBatch(work.map(({ item }) => item));
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

/** What one record does to its reading is nobody else's. */
function translate(record: MskRecord, verify: VerifyResultToken, now: number): TranslatedRecord {
  try {
    return itemOfRecord(record, verify, now);
  } catch (error) {
    return { ok: false, reason: faultOf(error).reason };
  }
}

export function logOutcome(log: StepExecutorLog, { runId, event }: BatchItem, outcome: Outcome): void {
  const fields = { run_id: runId, event: event.type };
  if (outcome.outcome === 'refused') log.debug('Event refused', { ...fields, code: outcome.code });
  if (outcome.outcome === 'decided' && outcome.fault === undefined)
    log.debug('Event decided', { ...fields, status: outcome.status });
  const fault = faultIn(outcome);
  if (fault === null) return;
  const hasEnded = outcome.outcome === 'decided';
  const told = { ...fields, class: fault.class, reason: fault.reason, ended: hasEnded };
  if (fault.class === 'defect' || !hasEnded) log.error('A record met a defect', told);
  else log.warn('A record carries what cannot be kept', told);
}

/** Null: the record has been dealt with. */
function deadLetterReason(outcome: Outcome, { runId }: BatchItem): string | null {
  if (outcome.outcome === 'unknown_run') return `run_id: expected a run that exists, got "${runId}"`;
  if (outcome.outcome === 'unauthorised')
    return 'cancellation_token: expected one, since the run has an owner';
  const fault = faultIn(outcome);
  // A value failed its attempt or run with a code, and that is all there is to do; a defect is to be looked at, whatever it ended.
  return fault !== null && (fault.class === 'defect' || outcome.outcome !== 'decided') ? fault.reason : null;
}

/** What kept the record from being decided as it came. */
function faultIn(outcome: Outcome): Fault | null {
  if (outcome.outcome === 'decided') return outcome.fault ?? null;
  if (outcome.outcome === 'value_refused') return { class: 'value', reason: outcome.reason };
  return outcome.outcome === 'defect' ? { class: 'defect', reason: outcome.reason } : null;
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
  try {
    await countDeadLetters(letters.map(({ record }) => record));
  } catch (error) {
    // They are published: what keeps them from being counted for good must not bring them again for ever.
    if (classOf(error) === 'transient') throw error;
    log.error('Dead letters could not be counted', { reason: faultOf(error).reason });
  }
}
