import { withPlans } from '../../shared/application/publish-entries.ts';
import type { WorkflowDefinition } from '../../shared/definition/workflow-definition.ts';
import type { OutgoingRecord, RecordProducer } from '../../shared/kafka/producer.ts';
import type { Wake } from '../../shared/messages/messages.ts';
import type { Database } from '../../shared/persistence/database.ts';
import { claimDueTimes, type DueRow } from '../../shared/persistence/due-times.ts';
import { loadVersions } from '../../shared/persistence/load-versions.ts';
import { claimLeftBehind, removeOutbox } from '../../shared/persistence/outbox.ts';

export interface TimekeeperDeps {
  readonly database: Database;
  readonly producer: Pick<RecordProducer, 'publish'>;
  readonly stepRequestsTopic: string;
}

/** Until a lost wake fires again. */
const LEASE_MS = 60_000;
/** An invocation publishes its own messages within about a second; what is older, nobody is publishing. */
const LEFT_BEHIND_MS = 3_000;
const BATCH = 500;
/** Messages carry whole inputs: what is published at once stays small enough to hold. */
const OUTBOX_BATCH = 50;

/** Fires what is due. The rows' new times are committed once their wakes are published: a failure leaves them due. */
export async function fireDueTimes({
  database,
  producer,
  stepRequestsTopic,
}: TimekeeperDeps): Promise<number> {
  let fired = 0;
  for (;;) {
    const count = await database.transaction(async (statements) => {
      const due = await claimDueTimes(statements, { limit: BATCH, leaseMs: LEASE_MS });
      await producer.publish(due.map((row) => wakeRecord(row, stepRequestsTopic)));
      return due.length;
    });
    fired += count;
    if (count < BATCH) return fired;
  }
}

/** Publishes what invocations left behind: those that died after their commit, or found the broker away. */
export async function publishLeftBehind({ database, producer }: TimekeeperDeps): Promise<number> {
  let published = 0;
  for (;;) {
    const count = await database.transaction(async (statements) => {
      const entries = await claimLeftBehind(statements, { olderThanMs: LEFT_BEHIND_MS, limit: OUTBOX_BATCH });
      if (entries.length === 0) return 0;
      const versionIds = entries.flatMap(({ messages }) => messages.flatMap(({ planOf }) => planOf ?? []));
      const definitions =
        versionIds.length === 0
          ? new Map<string, { definition: WorkflowDefinition; version: number }>()
          : await loadVersions(statements, versionIds);
      await producer.publish(entries.flatMap((entry) => withPlans(entry, definitions).messages));
      await removeOutbox(
        statements,
        entries.map(({ id }) => id),
      );
      return entries.length;
    });
    published += count;
    if (count < OUTBOX_BATCH) return published;
  }
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
