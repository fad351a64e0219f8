import { apart } from '../../shared/application/error-policy.ts';
import type { OutboxEntry, OutgoingMessage } from '../../shared/application/ports.ts';
import { versionsOf, withPlans } from '../../shared/application/publish-entries.ts';
import { agentsOf, type RouteTasks } from '../../shared/application/route-tasks.ts';
import type { OutgoingRecord, RecordProducer } from '../../shared/kafka/producer.ts';
import { loadAgentRoutes } from '../../shared/persistence/agent-routes.ts';
import type { Database, Statements } from '../../shared/persistence/database.ts';
import { loadVersions } from '../../shared/persistence/load-versions.ts';
import {
  claimLeftBehind,
  createOutbox,
  giveBackLeftBehind,
  postponeOutbox,
} from '../../shared/persistence/outbox.ts';
import { LEASE_MS } from './lease.ts';

export interface PublishLeftBehindDeps {
  readonly database: Database;
  readonly producer: Pick<RecordProducer, 'publish' | 'check'>;
  readonly routeTasks: RouteTasks;
  /** Milliseconds since whenever. */
  readonly clock: () => number;
}

/** An invocation has asked the registry and published its own messages in about three seconds; what is older, nobody is publishing. */
const LEFT_BEHIND_MS = 4_000;
/** Messages carry whole inputs: what is published at once stays small enough to hold. */
const OUTBOX_BATCH = 50;
const OUTBOX_BATCH_BYTES = 16 * 1024 * 1024;
/** A look at the outbox ends then, however much is left: timers fire in between. */
const LOOK_FOR_MS = 10_000;
/** How long a look waits for refusals, each of which may take the publishing's whole second, before it leaves such topics alone. */
const REFUSALS_FOR_MS = 5_000;
/** A broker that is just coming back may let a message wait for too long and yet answer: soon, then. */
const RETRY_REFUSED = { atLeastMs: 10_000, atMostMs: 60_000 };

/**
 * Publishes what invocations left behind: those that died after their commit, or found the broker away. What Kafka refuses
 * while it is there, as a message to a topic that does not exist, is tried again later, and the rest does not wait for it.
 * @throws PublishError when the broker is away, or at the end when a message was refused
 */
export async function publishLeftBehind(deps: PublishLeftBehindDeps): Promise<number> {
  const { database, clock } = deps;
  const end = clock() + LOOK_FOR_MS;
  const refusals = new Refusals(clock);
  let published = 0;
  do {
    const entries = await claimLeftBehind(database, {
      olderThanMs: LEFT_BEHIND_MS,
      limit: OUTBOX_BATCH,
      maxBytes: OUTBOX_BATCH_BYTES,
      leaseMs: LEASE_MS,
    });
    if (entries.length === 0) break;
    try {
      const counts = await apart(
        entries,
        async (some) => [await publishClaimed(deps, some, refusals)],
        (entry, _fault, error) => leaveForLater(deps, entry, error, refusals),
      );
      published += counts.reduce((sum, count) => sum + count, 0);
    } catch (error) {
      await giveBackLeftBehind(database, entries).catch(() => {});
      throw error;
    }
  } while (clock() < end);
  if (refusals.first !== null) throw refusals.first;
  return published;
}

/** A row that nothing can be made of does not keep the others from being published. */
async function leaveForLater(
  { database }: PublishLeftBehindDeps,
  entry: OutboxEntry,
  error: unknown,
  refusals: Refusals,
): Promise<[]> {
  refusals.first ??= new Error(`The outbox row ${entry.id} cannot be published`, { cause: error });
  await postponeOutbox(database, entry, RETRY_REFUSED);
  return [];
}

/** What Kafka refused in one look. */
class Refusals {
  first: Error | null = null;
  readonly #clock: () => number;
  readonly #topics = new Set<string>();
  #tookMs = 0;

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** Enough time has gone into such topics: what else goes there is left without a try. */
  isLeftAlone(topic: string): boolean {
    return this.#tookMs >= REFUSALS_FOR_MS && this.#topics.has(topic);
  }

  /** @returns whether it was published */
  async try(topic: string, publish: () => Promise<void>): Promise<boolean> {
    const begunAt = this.#clock();
    try {
      await publish();
      return true;
    } catch (error) {
      this.first ??= error as Error;
      this.#topics.add(topic);
      this.#tookMs += this.#clock() - begunAt;
      return false;
    }
  }
}

/** @returns how many were published whole. @throws PublishError when the broker is away */
async function publishClaimed(
  { database, producer, routeTasks }: PublishLeftBehindDeps,
  entries: readonly OutboxEntry[],
  refusals: Refusals,
): Promise<number> {
  const definitions = await definitionsFor(database, entries);
  const agents = agentsOf(entries);
  const routes = agents.length === 0 ? new Map() : await loadAgentRoutes(database, agents);
  const routed = await routeTasks(entries, routes);
  const recordsOf = (entry: OutboxEntry) => withPlans(entry, definitions).messages;
  const isSent = ({ topic }: OutgoingMessage) => !refusals.isLeftAlone(topic);
  let left: readonly OutboxEntry[];
  try {
    const sent = routed.map((entry) => ({ ...entry, messages: entry.messages.filter(isSent) }));
    await producer.publish(sent.flatMap(recordsOf));
    left = entries.map((entry, i) => withMessages(entry, (_, j) => !isSent(routed[i]!.messages[j]!)));
  } catch {
    await producer.check();
    left = await publishApart(producer, { entries, routed, recordsOf }, refusals);
  }
  const whole = left.filter(({ messages }) => messages.length === 0);
  await createOutbox(database).remove(whole.map(({ id }) => id));
  for (const entry of left)
    if (entry.messages.length > 0) await postponeOutbox(database, entry, RETRY_REFUSED);
  return whole.length;
}

interface LeftBehind {
  readonly entries: readonly OutboxEntry[];
  /** The same entries and messages, with where they go now. */
  readonly routed: readonly OutboxEntry[];
  readonly recordsOf: (entry: OutboxEntry) => readonly OutgoingRecord[];
}

/**
 * Message by message, so that what is refused is alone. What is refused is left as it was: where it goes may be put right until the
 * next time.
 * @returns the entries with what is left of their messages
 */
async function publishApart(
  producer: Pick<RecordProducer, 'publish'>,
  { entries, routed, recordsOf }: LeftBehind,
  refusals: Refusals,
): Promise<OutboxEntry[]> {
  const left: OutboxEntry[] = [];
  for (const [i, entry] of entries.entries()) {
    const gone = new Set<number>();
    for (const [j, message] of routed[i]!.messages.entries()) {
      const records = recordsOf({ ...entry, messages: [message] });
      const { topic } = message;
      if (!refusals.isLeftAlone(topic) && (await refusals.try(topic, () => producer.publish(records))))
        gone.add(j);
    }
    left.push(withMessages(entry, (_, j) => !gone.has(j)));
  }
  return left;
}

function withMessages(
  entry: OutboxEntry,
  isLeft: (message: OutgoingMessage, index: number) => boolean,
): OutboxEntry {
  return { ...entry, messages: entry.messages.filter(isLeft) };
}

async function definitionsFor(statements: Statements, entries: readonly OutboxEntry[]) {
  const versionIds = versionsOf(entries);
  return versionIds.length === 0 ? new Map<string, never>() : loadVersions(statements, versionIds);
}
