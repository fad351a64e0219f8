import { apart } from '../../shared/application/error-policy.ts';
import {
  type PublishClaimedDeps,
  type PublishedClaims,
  publishClaimed,
} from '../../shared/application/publish-claimed.ts';
import type { ClaimedEntry } from '../../shared/application/publishing-record.ts';
import type { RouteTasks } from '../../shared/application/route-tasks.ts';
import type { Topics } from '../../shared/config/topics.ts';
import type { RecordProducer } from '../../shared/kafka/producer.ts';
import { loadAgentRoutes } from '../../shared/persistence/agent-routes.ts';
import type { Database } from '../../shared/persistence/database.ts';
import { loadVersions } from '../../shared/persistence/load-versions.ts';
import {
  claimLeftBehind,
  createOutbox,
  giveBackLeftBehind,
  postponeOutbox,
} from '../../shared/persistence/outbox.ts';
import { findOpenAttempts, noteOnAttempts } from '../../shared/persistence/waiting-tasks.ts';
import { LEASE_MS } from './lease.ts';

export interface PublishLeftBehindDeps {
  readonly database: Database;
  readonly producer: Pick<RecordProducer, 'send'>;
  readonly routeTasks: RouteTasks;
  readonly topics: Pick<Topics, 'results' | 'httpTasks' | 'lambdaTasks'>;
  /** Milliseconds since whenever. */
  readonly clock: () => number;
}

/** An invocation has asked the registry and published its own messages in about two seconds; what is older, nobody is publishing. */
const LEFT_BEHIND_MS = 4_000;
/** Messages carry whole inputs: what is published at once stays small enough to hold. */
const OUTBOX_BATCH = 50;
const OUTBOX_BATCH_BYTES = 16 * 1024 * 1024;
/** A look at the outbox ends then, however much is left: timers fire in between. */
const LOOK_FOR_MS = 10_000;
/** As for what Kafka refuses. */
const RETRY_UNPUBLISHABLE = { atLeastMs: 10_000, atMostMs: 60_000 };

/** Messages are left behind in the outbox: Kafka refused them, did not answer, or is away. */
export class LeftBehindError extends Error {
  readonly code = 'LEFT_BEHIND';
}

/**
 * Publishes what invocations left behind: those that died after their commit, or found the broker away, a topic missing, or a registry
 * silent. What Kafka refuses or does not answer for comes again later, and the rest does not wait for it.
 * @throws LeftBehindError when no broker is reached, when none answers, or at the end when something was refused
 */
export async function publishLeftBehind({
  database,
  producer,
  ...deps
}: PublishLeftBehindDeps): Promise<number> {
  const claimedDeps: PublishClaimedDeps = {
    ...deps,
    publisher: producer,
    outbox: createOutbox(database),
    clock: { now: () => Date.now() },
    loadVersions: (ids) => loadVersions(database, ids),
    loadAgentRoutes: (names) => loadAgentRoutes(database, names),
    findOpenAttempts: (ids) => findOpenAttempts(database, ids),
    noteOnAttempts: (notes) => noteOnAttempts(database, notes),
  };
  const end = deps.clock() + LOOK_FOR_MS;
  const unsent: string[] = [];
  let published = 0;
  let failure: string | null = null;
  do {
    const entries = await claimLeftBehind(database, {
      olderThanMs: LEFT_BEHIND_MS,
      limit: OUTBOX_BATCH,
      maxBytes: OUTBOX_BATCH_BYTES,
      leaseMs: LEASE_MS,
    });
    if (entries.length === 0) break;
    // Where the database goes away, nothing is known of what was sent by then: it is not sent again before the lease ends.
    const parts = await apart(
      entries,
      async (some) => [await publishClaimed(claimedDeps, some)],
      async (entry) => [await leaveForLater(database, entry)],
    );
    for (const claims of parts) {
      published += claims.whole;
      failure ??= claims.failure;
      unsent.push(...claims.unsent);
    }
    if (parts.every(({ isUnanswered }) => isUnanswered)) break;
  } while (deps.clock() < end);
  await giveBackLeftBehind(database, unsent);
  if (failure !== null) throw new LeftBehindError(failure);
  return published;
}

/** A row that nothing can be made of does not keep the others from being published. */
async function leaveForLater(database: Database, { id }: ClaimedEntry): Promise<PublishedClaims> {
  await postponeOutbox(database, id, RETRY_UNPUBLISHABLE);
  const failure = `The outbox row ${id} cannot be published`;
  return { whole: 0, unsent: [], isUnanswered: false, failure };
}
