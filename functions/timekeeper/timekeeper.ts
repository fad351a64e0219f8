import type { OutboxEntry, OutgoingMessage } from '../../shared/application/ports.ts';
import { versionsOf, withPlans } from '../../shared/application/publish-entries.ts';
import { agentsOf, type RouteTasks } from '../../shared/application/route-tasks.ts';
import type { OutgoingRecord, RecordProducer } from '../../shared/kafka/producer.ts';
import type { Wake } from '../../shared/messages/messages.ts';
import { loadAgentRoutes } from '../../shared/persistence/agent-routes.ts';
import type { Database, Statements } from '../../shared/persistence/database.ts';
import { claimDueTimes, type DueRow, giveBackDueTimes } from '../../shared/persistence/due-times.ts';
import { loadVersions } from '../../shared/persistence/load-versions.ts';
import {
  claimLeftBehind,
  createOutbox,
  giveBackLeftBehind,
  postponeOutbox,
} from '../../shared/persistence/outbox.ts';

export interface TimekeeperDeps {
  readonly database: Database;
  readonly producer: Pick<RecordProducer, 'publish' | 'check'>;
  readonly routeTasks: RouteTasks;
  readonly stepRequestsTopic: string;
}

/*
 * Nothing is locked while it is published, which takes a second where the broker hangs: what is claimed is leased, by a commit of its
 * own. What could not be published is given back at once; what a timekeeper that died had is due again when its lease ends.
 */

/** Until a lost wake fires again, and what was left behind is published by another timekeeper. */
const LEASE_MS = 60_000;
/** An invocation has asked the registry and published its own messages in about three seconds; what is older, nobody is publishing. */
const LEFT_BEHIND_MS = 4_000;
const BATCH = 500;
/** Messages carry whole inputs: what is published at once stays small enough to hold. */
const OUTBOX_BATCH = 50;
/** A broker that is just coming back may let a message wait for too long and yet answer: soon, then. */
const RETRY_REFUSED_MS = 10_000;
const MAX_REFUSED_AT_ONCE = 5;

/** Fires what is due. @throws PublishError when wakes could not be published: their rows are due still. */
export async function fireDueTimes({
  database,
  producer,
  stepRequestsTopic,
}: TimekeeperDeps): Promise<number> {
  let fired = 0;
  for (;;) {
    const { due, taken } = await database.transaction((statements) =>
      claimDueTimes(statements, { limit: BATCH, leaseMs: LEASE_MS }),
    );
    try {
      await producer.publish(due.map((row) => wakeRecord(row, stepRequestsTopic)));
    } catch (error) {
      // Where the database is away too, their leases end by themselves.
      await database.transaction((statements) => giveBackDueTimes(statements, due)).catch(() => {});
      throw error;
    }
    fired += due.length;
    if (taken < BATCH) return fired;
  }
}

/**
 * Publishes what invocations left behind: those that died after their commit, or found the broker away. What Kafka refuses
 * while it is there, as a message to a topic that does not exist, is tried again later, and the rest does not wait for it.
 * @throws PublishError when the broker is away, or at the end when a message was refused
 */
export async function publishLeftBehind(deps: TimekeeperDeps): Promise<number> {
  const { database } = deps;
  let published = 0;
  const refusals: Error[] = [];
  for (;;) {
    const entries = await claimLeftBehind(database, {
      olderThanMs: LEFT_BEHIND_MS,
      limit: OUTBOX_BATCH,
      leaseMs: LEASE_MS,
    });
    if (entries.length === 0) break;
    try {
      published += await publishClaimed(deps, entries, refusals);
    } catch (error) {
      await giveBackLeftBehind(database, entries).catch(() => {});
      throw error;
    }
    if (entries.length < OUTBOX_BATCH) break;
  }
  if (refusals.length > 0) throw refusals[0];
  return published;
}

/** @returns how many were published whole. @throws PublishError when the broker is away */
async function publishClaimed(
  { database, producer, routeTasks }: TimekeeperDeps,
  entries: readonly OutboxEntry[],
  refusals: Error[],
): Promise<number> {
  const definitions = await definitionsFor(database, entries);
  const agents = agentsOf(entries);
  const routes = agents.length === 0 ? new Map() : await loadAgentRoutes(database, agents);
  const routed = await routeTasks(entries, routes);
  const recordsOf = (entry: OutboxEntry) => withPlans(entry, definitions).messages;
  const outbox = createOutbox(database);
  try {
    await producer.publish(routed.flatMap(recordsOf));
  } catch {
    await producer.check();
    const apart = await publishApart(producer, { entries, routed, recordsOf }, refusals);
    await outbox.remove(apart.whole.map(({ id }) => id));
    for (const entry of apart.partial) await postponeOutbox(database, entry, RETRY_REFUSED_MS);
    await giveBackLeftBehind(database, apart.untried);
    return apart.whole.length;
  }
  await outbox.remove(entries.map(({ id }) => id));
  return entries.length;
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
): Promise<{ whole: OutboxEntry[]; partial: OutboxEntry[]; untried: readonly OutboxEntry[] }> {
  const whole: OutboxEntry[] = [];
  const partial: OutboxEntry[] = [];
  let refused = 0;
  for (const [i, entry] of entries.entries()) {
    if (refused >= MAX_REFUSED_AT_ONCE) return { whole, partial, untried: entries.slice(i) };
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
  return { whole, partial, untried: [] };
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
