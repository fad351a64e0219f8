import type { OutboxEntry, OutgoingMessage } from '../../shared/application/ports.ts';
import { versionsOf, withPlans } from '../../shared/application/publish-entries.ts';
import { agentsOf, type RouteTasks } from '../../shared/application/route-tasks.ts';
import type { OutgoingRecord, RecordProducer } from '../../shared/kafka/producer.ts';
import type { Wake } from '../../shared/messages/messages.ts';
import { loadAgentRoutes } from '../../shared/persistence/agent-routes.ts';
import type { Database, Statements } from '../../shared/persistence/database.ts';
import { claimDueTimes, type DueRow } from '../../shared/persistence/due-times.ts';
import { loadVersions } from '../../shared/persistence/load-versions.ts';
import { claimLeftBehind, postponeOutbox, removeOutbox } from '../../shared/persistence/outbox.ts';

export interface TimekeeperDeps {
  readonly database: Database;
  readonly producer: Pick<RecordProducer, 'publish' | 'check'>;
  readonly routeTasks: RouteTasks;
  readonly stepRequestsTopic: string;
}

/** Until a lost wake fires again. */
const LEASE_MS = 60_000;
/** An invocation has asked the registry and published its own messages in about three seconds; what is older, nobody is publishing. */
const LEFT_BEHIND_MS = 4_000;
const BATCH = 500;
/** Messages carry whole inputs: what is published at once stays small enough to hold. */
const OUTBOX_BATCH = 50;
/** A broker that is just coming back may let a message wait for too long and yet answer: soon, then. */
const RETRY_REFUSED_MS = 10_000;
const MAX_REFUSED_AT_ONCE = 5;

/** Fires what is due. The rows' new times are committed once their wakes are published: a failure leaves them due. */
export async function fireDueTimes({
  database,
  producer,
  stepRequestsTopic,
}: TimekeeperDeps): Promise<number> {
  let fired = 0;
  for (;;) {
    const { due, taken } = await database.transaction(async (statements) => {
      const claimed = await claimDueTimes(statements, { limit: BATCH, leaseMs: LEASE_MS });
      await producer.publish(claimed.due.map((row) => wakeRecord(row, stepRequestsTopic)));
      return claimed;
    });
    fired += due.length;
    if (taken < BATCH) return fired;
  }
}

/**
 * Publishes what invocations left behind: those that died after their commit, or found the broker away. What Kafka refuses
 * while it is there, as a message to a topic that does not exist, is tried again later, and the rest does not wait for it.
 * @throws PublishError when the broker is away, or at the end when a message was refused
 */
export async function publishLeftBehind({ database, producer, routeTasks }: TimekeeperDeps): Promise<number> {
  let published = 0;
  const refusals: Error[] = [];
  for (;;) {
    const { claimed, removed } = await database.transaction(async (statements) => {
      const entries = await claimLeftBehind(statements, { olderThanMs: LEFT_BEHIND_MS, limit: OUTBOX_BATCH });
      if (entries.length === 0) return { claimed: 0, removed: 0 };
      const definitions = await definitionsFor(statements, entries);
      const agents = agentsOf(entries);
      const routes = agents.length === 0 ? new Map() : await loadAgentRoutes(statements, agents);
      const routed = await routeTasks(entries, routes);
      const recordsOf = (entry: OutboxEntry) => withPlans(entry, definitions).messages;
      let done: readonly OutboxEntry[] = entries;
      try {
        await producer.publish(routed.flatMap(recordsOf));
      } catch {
        await producer.check();
        const { whole, partial } = await publishApart(producer, { entries, routed, recordsOf }, refusals);
        for (const entry of partial) await postponeOutbox(statements, entry, RETRY_REFUSED_MS);
        done = whole;
      }
      await removeOutbox(
        statements,
        done.map(({ id }) => id),
      );
      return { claimed: entries.length, removed: done.length };
    });
    published += removed;
    if (claimed < OUTBOX_BATCH) break;
  }
  if (refusals.length > 0) throw refusals[0];
  return published;
}

interface LeftBehind {
  readonly entries: readonly OutboxEntry[];
  /** The same entries and messages, with where they go now. */
  readonly routed: readonly OutboxEntry[];
  readonly recordsOf: (entry: OutboxEntry) => readonly OutgoingRecord[];
}

/**
 * Message by message, so that what is refused is alone. Few refusals at a time: each may take the publishing's whole second.
 * What is refused is left as it was: where it goes may be put right until the next time.
 */
async function publishApart(
  producer: Pick<RecordProducer, 'publish'>,
  { entries, routed, recordsOf }: LeftBehind,
  refusals: Error[],
): Promise<{ whole: OutboxEntry[]; partial: OutboxEntry[] }> {
  const whole: OutboxEntry[] = [];
  const partial: OutboxEntry[] = [];
  let refused = 0;
  for (const [i, entry] of entries.entries()) {
    if (refused >= MAX_REFUSED_AT_ONCE) break;
    const left: OutgoingMessage[] = [];
    for (const [j, message] of entry.messages.entries()) {
      try {
        if (refused < MAX_REFUSED_AT_ONCE)
          await producer.publish(recordsOf({ ...entry, messages: routed[i]!.messages.slice(j, j + 1) }));
        else left.push(message);
      } catch (error) {
        refused++;
        refusals.push(error as Error);
        left.push(message);
      }
    }
    if (left.length === 0) whole.push(entry);
    else partial.push({ ...entry, messages: left });
  }
  return { whole, partial };
}

async function definitionsFor(statements: Statements, entries: readonly OutboxEntry[]) {
  const versionIds = versionsOf(entries);
  return versionIds.length === 0 ? new Map<string, never>() : loadVersions(statements, versionIds);
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
